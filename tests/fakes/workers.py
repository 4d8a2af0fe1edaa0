"""The processes that hold a service's models, as TorchServe itself names them."""

import psutil

from clients.connection import blocking_http
from clients.credentials import Credentials
from serving.launch.running import Running


def workers_of(running: Running) -> list[psutil.Process]:
    """Return the workers of all models that run: TorchServe's children, or forks."""
    assert running.management_url is not None
    credentials = Credentials(token_file=running.management_token_file)
    with blocking_http(running.management_url, 30, auth=credentials) as http:
        names = [one["modelName"] for one in http.get("/models?limit=1000").json()["models"]]
        models = [model for name in names for model in http.get(f"/models/{name}").json()]
    found = (_process(worker["pid"]) for model in models for worker in model["workers"])
    return [process for process in found if process is not None]


def fronts_of(running: Running) -> list[psutil.Process]:
    """Return the processes that take a service's rows in: TorchServe's workers, or uvicorn's."""
    if running.front_process is None:
        return workers_of(running)
    children = psutil.Process(running.front_process).children()
    return [child for child in children if _is_spawned(child)]


def fork_servers_of(workers: list[psutil.Process]) -> list[psutil.Process]:
    """Return the processes that workers are forks of."""
    parents = {parent for worker in workers if (parent := worker.parent()) is not None}
    return [one for one in parents if "serving.forking.server" in one.cmdline()]


def _is_spawned(process: psutil.Process) -> bool:
    """Return whether it serves: it has not ended, and is none of multiprocessing's own."""
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def _process(pid: int) -> psutil.Process | None:
    """Return a process that runs; what has ended TorchServe still names."""
    try:
        process = psutil.Process(pid)
        return process if process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.NoSuchProcess, ValueError):
        return None
