"""Drawing one person by themselves: how they look, gathered from a clip, and pictures of their body in any motion and view."""
