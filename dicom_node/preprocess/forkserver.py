"""Loaded into the fork server first: it dies with its worker, and the decoders that it forks die with it.

Without this a killed worker leaves all of them behind: each decoder holds a copy of the pipe whose end would
tell the fork server that nobody needs it.
"""

from dicom_node.parent import die_with_parent

die_with_parent()
