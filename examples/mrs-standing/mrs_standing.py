"""A complete plugin: a lifter that lets everybody stand."""

import mrs


class Standing:
    """Lift every frame to a standing person."""

    name = "standing"

    def lift(self, video, track):
        return mrs.Motion.standing(track.times_s)


@mrs.hookimpl
def register_lifters(register):
    register(Standing)
