"""From a webcam or a stream to a skeleton that moves along (`mrs live`): frames are dropped, never queued."""
