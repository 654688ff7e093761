"""What every test shares: how Hypothesis searches."""

import os

from hypothesis import settings

# No deadline: how long an example took is the machine's business. In CI the search repeats itself
# exactly, so that a red build is the commit's doing; elsewhere every run looks somewhere new.
settings.register_profile(
    "house", deadline=None, derandomize=bool(os.environ.get("CI")), print_blob=True
)
settings.register_profile("thorough", parent=settings.get_profile("house"), max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))
