"""RQ runs real jobs on our server, and without a server on the embedded face."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rq import Queue, SimpleWorker
from rq.job import JobStatus
from rq.registry import FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry
from tests.users import jobs

from aidb.testing import Server

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(params=["server", "embedded"])
def connection(request: pytest.FixtureRequest) -> Any:
    name = {"server": "aidb_redis", "embedded": "aidb_embedded"}[request.param]
    return request.getfixturevalue(name)


def test_jobs_run_fail_and_wait(connection: Any) -> None:
    queue = Queue("rq", connection=connection)
    done = queue.enqueue(jobs.add, 2, 3)
    failed = queue.enqueue(jobs.divide, 1, 0)
    after = queue.enqueue(jobs.add, 4, 5, depends_on=done)
    later = queue.enqueue_in(timedelta(days=1), jobs.add, 1, 1)
    assert (queue.count, after.get_status()) == (2, JobStatus.DEFERRED)

    SimpleWorker([queue], connection=connection).work(burst=True, with_scheduler=False)

    assert (done.return_value(), after.return_value()) == (5, 9)
    assert failed.get_status() == JobStatus.FAILED
    result = failed.latest_result()
    assert result is not None
    assert "ZeroDivisionError" in (result.exc_string or "")
    assert set(FinishedJobRegistry(queue=queue).get_job_ids()) == {done.id, after.id}
    assert FailedJobRegistry(queue=queue).get_job_ids() == [failed.id]
    registry: Any = ScheduledJobRegistry
    assert later.id in registry(queue=queue)
    assert queue.is_empty()
    later.delete()
    assert failed.requeue().get_status() == JobStatus.QUEUED


def test_a_worker_process_takes_jobs(aidb_server: Server, aidb_redis: Any) -> None:
    queue = Queue("work", connection=aidb_redis)
    queued = [queue.enqueue(jobs.add, n, n) for n in range(5)]
    command = [
        sys.executable,
        "-m",
        "rq.cli",
        "worker",
        "--burst",
        "--url",
        aidb_server.url,
        "work",
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=25)
    assert done.returncode == 0, done.stderr
    assert [job.return_value() for job in queued] == [0, 2, 4, 6, 8]
