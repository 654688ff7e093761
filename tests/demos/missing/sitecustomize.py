"""On the path of a Python process, makes it one in which some packages are not installed."""

import os
import sys
from importlib.abc import MetaPathFinder

MISSING = os.environ["MISSING_PACKAGES"].split(",")


class NotInstalled(MetaPathFinder):
    """Finds nothing of what is missing, and says so before anybody else is asked."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


sys.meta_path.insert(0, NotInstalled())
