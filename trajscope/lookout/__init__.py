"""Lookout: runs that are watched for another program, each file read once however many ask. It serves nothing."""

from trajscope.lookout.course import Course
from trajscope.lookout.frames import Frames
from trajscope.lookout.out import LATEST, Lookout, Sight

__all__ = ["LATEST", "Course", "Frames", "Lookout", "Sight"]
