"""An agent that dies at its work."""

from runcycles_demos.authority import lane
from runcycles_demos.authority.job import Job


def work(job: Job) -> str:
    raise SystemExit(f"no more of {job.task}")


if __name__ == "__main__":
    lane.run(work, "code")
