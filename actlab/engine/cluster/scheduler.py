"""A Dask scheduler that someone else started: is it one, and would its workers give the same numbers?"""

import asyncio
import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from actlab import compiler_flags
from actlab.engine.cluster.common import LIMITS, REACH, ClusterError, ended_when_deserted, shortened

LONGEST = 300  # letters of an address
SAME_VERSIONS = ("actlab", "jax", "jaxlib")  # those that decide a run's numbers


@contextmanager
def running_cluster(distributed: Any, address: str, folder: Path) -> Iterator[tuple[Any, int]]:
    """Connect to a scheduler that someone else started; refused where its workers would give other numbers, or none.

    Raises:
        ClusterError: there is no scheduler at the address, or its workers are refused.
    """
    check_address(distributed, address)
    try:
        with ThreadPoolExecutor(1) as thread:  # a notebook's own thread has its loop already
            kind = thread.submit(asyncio.run, identity(distributed, address)).result()
    except TimeoutError:
        raise unusable(address, f"something listens there, and has said nothing for {REACH} seconds") from None
    except Exception:  # whatever listens there may answer anything
        other = "tcp" if address.startswith("tls") else "tls"
        why = f"something listens there, but it is no Dask scheduler, or one that wants {other}://"
        raise unusable(address, why) from None
    if kind != "Scheduler":
        raise unusable(address, f"what listens there is Dask's, but no scheduler ({shortened(kind)})")
    with distributed.Client(address, timeout=REACH, set_as_default=False) as client:
        try:
            client.wait_for_workers(1, timeout=REACH)
        except TimeoutError:
            raise ClusterError(f"--scheduler {address}: has no workers. Start some:\n  {command(address)}") from None
        check_workers(client, address, folder)
        whose = f"the scheduler at {address}"
        with ended_when_deserted(client, whose, f"start some ({command(address)})"):
            yield client, len(client.scheduler_info(n_workers=-1)["workers"])


def check_address(distributed: Any, address: str) -> None:
    """Refuse what is no address, and one where nothing listens: Dask would say the same of both, and of much else.

    Raises:
        ClusterError: it is one of these.
    """
    try:
        if not address.isprintable() or len(address) > LONGEST:
            raise ValueError(f"more than {LONGEST} letters, or some that cannot be printed")
        scheme, location = distributed.comm.parse_address(address)
        distributed.comm.registry.get_backend(scheme)
        if scheme == "inproc":
            raise ValueError("inproc is for one process alone")
        if scheme == "tls" and not distributed.Security().get_connection_args("client").get("ssl_context"):
            raise ValueError("tls needs distributed.comm.tls in Dask's own configuration")
        if scheme not in ("tcp", "tls"):
            return
        host, port = distributed.comm.addressing.parse_host_port(location)
        if not 0 < port < 2**16:
            raise ValueError(f"there is no port {port}")
    except (ValueError, RuntimeError) as error:
        raise unusable(shortened(address), f"this is no address of a scheduler ({shortened(error)})") from None
    try:
        socket.create_connection((host, port), timeout=REACH).close()
    except (OSError, UnicodeError) as error:  # a name that is none
        why = getattr(error, "strerror", None) or shortened(error)
        raise unusable(
            address, f"nothing can be reached there ({why}); see whether it runs, and whether host and port are right"
        ) from None


def unusable(address: str, why: str) -> ClusterError:
    """Say what is wrong with a scheduler's address."""
    return ClusterError(
        f"--scheduler {address}: {why}.\nExpected the address that `dask scheduler` prints, as in tcp://node17:8786."
    )


async def identity(distributed: Any, address: str) -> str:
    """Ask what answers at an address: ``Scheduler``, ``Worker`` or ``Nanny``."""
    trust = distributed.Security().get_connection_args("client")
    async with distributed.rpc(address, connection_args=trust) as remote:
        return str((await asyncio.wait_for(remote.identity(), REACH))["type"])


def check_workers(client: Any, address: str, folder: Path) -> None:
    """Refuse workers that lack actlab or the folder, or would give other numbers than those of a local pool.

    Raises:
        ClusterError: there is such a worker, or the folder cannot be written.
    """
    parent = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.is_dir())
    try:
        with tempfile.NamedTemporaryFile(dir=parent, prefix=".actlab-") as probe:
            facts_of = client.run(facts, probe.name, on_error="return")
    except OSError as error:
        raise ClusterError(f"{folder}: cannot be written ({error.strerror})") from None
    threads = {name: worker["nthreads"] for name, worker in client.scheduler_info(n_workers=-1)["workers"].items()}
    own = {name: version(name) for name in SAME_VERSIONS}
    for worker, fact in sorted(facts_of.items()):
        where = f"--scheduler {address}: the worker at {worker}"
        if isinstance(fact, BaseException):
            raise ClusterError(f"{where} cannot import actlab ({type(fact).__name__}: {fact}); install it there")
        if fact["versions"] != own:
            theirs, ours = as_text(fact["versions"]), as_text(own)
            raise ClusterError(f"{where} has {theirs}, this process {ours}; make them the same")
        if not fact["sees"]:
            raise ClusterError(f"{where} does not see {parent}: the study's folder must be shared, under the same path")
        if fact["nproc"] != LIMITS["NPROC"] or threads.get(worker, 1) != 1:
            raise ClusterError(
                f"{where} is not limited to one thread and could give other numbers. Start it so:\n  {command(address)}"
            )
        if not fact["flags"]:
            raise ClusterError(
                f"{where} started JAX without {compiler_flags.SAFE} in XLA_FLAGS; jaxlib {own['jaxlib']} could give "
                "wrong numbers so. Start it again, and leave that flag to actlab"
            )


def facts(probe: str) -> dict[str, Any]:
    """Collect a worker's versions, its thread limit, whether its compiler is right, and whether it sees a file."""
    versions = {name: version(name) for name in SAME_VERSIONS}
    limit, sees = os.environ.get("NPROC"), os.path.exists(probe)
    return {"versions": versions, "nproc": limit, "flags": compiler_flags.ensure(), "sees": sees}


def as_text(versions: Mapping[str, str]) -> str:
    """Put versions in words."""
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def command(address: str) -> str:
    """Make the command that starts workers for a running scheduler."""
    limits = " ".join(f"{name}={value}" for name, value in LIMITS.items())
    return f"{limits} dask worker {address} --nthreads 1 --nworkers 4"
