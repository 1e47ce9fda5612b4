"""The folder of compiled programs and its files: where it is, and what in it is used. No JAX here.

A compiled program is code that is run as soon as it is loaded: whoever can write one here decides what a process that
reads it does. So the folder is this user's alone, and a file counts only if it is a plain file of this user's that no
one else can write, of a bounded size, under the name that its digest was made for. What fails is dropped, so that the
next one is written in its place. Where no such folder can be had, every start compiles from scratch; one line says why.
"""

import hashlib
import logging
import os
import platform
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from platformdirs import user_cache_path

from actlab.jax_settings import CACHE, OWN_CACHE
from actlab.naming import counted

SUBFOLDER = "whole"
MOST_BYTES = 2**29  # of all; the least recently used go first
LARGEST = 2**27  # of one: what is larger was not written here
DIGEST_BYTES = 32
NEW = "new-"  # how the name of a file begins that is being written
ABANDONED = 3600  # seconds after which such a file is taken to be left by a process that was killed
MOST_LINKS = 40

log = logging.getLogger("actlab.compiled")


class Refused(Exception):
    """The folder is not used; says why, in one line."""


class Unusable(Exception):
    """A file in the folder is no program of ours; says why."""


def programs_folder(named: str | None) -> Path:
    """Return the folder of this kind of processor, or in one that the user names; made, and this user's alone.

    A program made for one processor may use instructions that another, reading the same home directory on a cluster,
    does not have.

    Args:
        named: what ``JAX_COMPILATION_CACHE_DIR`` says, if anything.

    Raises:
        Refused: it cannot be made, or others could have put programs there.
    """
    if named and "://" in named:
        raise Refused(f"{named} is no folder of this machine")
    own = [SUBFOLDER] if named else ["programs", processor(), SUBFOLDER]
    try:
        above = Path(named).expanduser() if named else user_cache_path("actlab")
        folder = above.joinpath(*own)
        claim(Path(os.path.abspath(folder)), own=len(own) + (not named))
    except RuntimeError:
        raise Refused(f"{named}: is of an unknown user") from None
    except OSError as error:
        raise Refused(f"{error.filename or folder}: {error.strerror}") from None
    if not named:
        forget_what_jax_kept(folder.parent)
    return folder


def given() -> str | None:
    """Return the folder that the user names in the environment, where a command has put it or as it was."""
    return os.environ.get(OWN_CACHE) or os.environ.get(CACHE)


def say_if_refused() -> None:
    """Say once, before anything is trained, why no compiled programs are kept: a worker says it in its log only."""
    if os.environ.get("JAX_ENABLE_COMPILATION_CACHE", "1").lower() in ("0", "false", "no", "off", "n", "f"):
        return
    try:
        programs_folder(given())
    except Refused as why:
        log.warning("%s", sentence(why))


def sentence(why: Refused) -> str:
    """Put in a line what follows from a folder that is not used."""
    return f"actlab: compiled programs are not kept, so that every start compiles from scratch: {why}"


def claim(folder: Path, own: int) -> None:
    """Make a folder that this user alone can write, or see that it is one.

    Every folder above it is looked at as well, through symbolic links: whoever may rename one could put another in its
    place. In a folder with the sticky bit, as ``/tmp`` has it, only owners can.

    Args:
        folder: absolute.
        own: how many of its last parts are actlab's: these get mode 0700, whatever they had and whatever the umask.

    Raises:
        Refused: someone else could put programs there.
        OSError: it cannot be made.
    """
    at, ahead = Path(folder.anchor), list(reversed(folder.parts[1:]))
    links, link, after_link = 0, folder, -1  # the last symbolic link met, and how many parts follow on its target
    within = False  # a folder that no one else can enter
    while ahead:
        here = at / ahead.pop()
        try:
            about = os.lstat(here)
        except FileNotFoundError:
            if len(ahead) >= after_link >= 0:
                raise Refused(f"{link} is a symbolic link to {here}, which does not exist") from None
            with suppress(FileExistsError):  # another worker has just made it
                os.mkdir(here, 0o700)
                os.chmod(here, 0o700)  # a umask may have taken more away
            about = os.lstat(here)
        foreign = None if within else whose(about)
        if stat.S_ISLNK(about.st_mode):
            if (links := links + 1) > MOST_LINKS:
                raise Refused(f"{folder} leads through too many symbolic links")
            if foreign:
                raise Refused(f"{here} belongs to {foreign}, who could lead elsewhere")
            target, link, after_link = Path(os.readlink(here)), here, len(ahead)
            ahead += reversed(target.parts[1:] if target.is_absolute() else target.parts)
            at = Path(target.anchor) if target.is_absolute() else at
            within = within and not target.is_absolute() and ".." not in target.parts
            continue
        if not stat.S_ISDIR(about.st_mode):
            raise Refused(f"{here} is not a folder")
        at = at.parent if here.name == ".." else here
        if not hasattr(os, "getuid"):  # a system whose files have no owners
            continue
        if len(ahead) < own:
            if about.st_uid != os.getuid():
                raise Refused(f"{here} belongs to {whose(about)}")
            if stat.S_IMODE(about.st_mode) != 0o700:
                os.chmod(here, 0o700)
        elif foreign:
            raise Refused(f"{here} belongs to {foreign}, who could put programs there")
        elif not within and about.st_mode & 0o022 and not about.st_mode & stat.S_ISVTX:
            raise Refused(f"{here} can be written by others, who could put programs there; chmod go-w {here}")
        within |= about.st_uid == os.getuid() and not about.st_mode & 0o011


def whose(about: os.stat_result) -> str | None:
    """Name the user that a folder or link belongs to; None if that is this one, or the system."""
    if not hasattr(os, "getuid") or about.st_uid in (0, os.getuid(), overflow()):
        return None
    return f"another user ({about.st_uid})"


@lru_cache(maxsize=1)
def overflow() -> int:
    """Return the number that stands for every user whom a container does not know: the system's own, mostly."""
    try:
        return int(Path("/proc/sys/kernel/overflowuid").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not Linux
        return 0


def read(path: Path) -> bytes | None:
    """Return what was written as a program's file; None if there is none.

    Raises:
        Unusable: it is not what was written, or someone else may have written it. Nothing of it was used.
    """
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):  # a pipe, a device, a folder, a link
            raise Unusable("it is not a plain file")
        # Should it be exchanged right now: neither followed nor waited for.
        flags = [getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY")]
        number = os.open(path, os.O_RDONLY | sum(flags))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unusable(error.strerror) from None
    with open(number, "rb") as file:
        about = os.fstat(number)
        if not stat.S_ISREG(about.st_mode):
            raise Unusable("it is not a plain file")
        if hasattr(os, "getuid") and (about.st_uid != os.getuid() or about.st_mode & 0o022):
            raise Unusable("another user could have written it")
        if not DIGEST_BYTES < about.st_size <= LARGEST:
            raise Unusable(f"it has {counted(about.st_size, 'byte')}")
        content = file.read(LARGEST)
    if digest(path, content[DIGEST_BYTES:]) != content[:DIGEST_BYTES]:
        raise Unusable("it was altered, or written under another name")
    return content[DIGEST_BYTES:]


def digest(path: Path, content: bytes) -> bytes:
    """Compute a checksum of a file's name and content: under another name it is another program."""
    return hashlib.sha256(path.name.encode() + content).digest()


def write(path: Path, content: bytes) -> None:
    """Write a program's file, whole or not at all, and in the place of whatever is there.

    Raises:
        OSError: it cannot be written.
    """
    if len(content) + DIGEST_BYTES > LARGEST:
        raise OSError(f"{len(content)} bytes are too many")
    number, name = tempfile.mkstemp(prefix=NEW, dir=path.parent)  # a new file, never through a link
    scratch = Path(name)
    try:
        with open(number, "wb") as file:
            if hasattr(os, "fchmod"):
                os.fchmod(number, 0o600)
            file.write(digest(path, content) + content)
        try:
            scratch.replace(path)
        except OSError:  # a folder is in the way
            drop(path)
            scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def drop(path: Path) -> None:
    """Remove what stands under a program's name, whatever it is.

    Raises:
        OSError: it stays.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def make_room(folder: Path) -> None:
    """Remove the programs that were not used for longest, beyond ``MOST_BYTES``, and what killed processes left."""
    files = []
    with suppress(OSError), os.scandir(folder) as found:
        for entry in found:
            with suppress(OSError):  # another worker has just removed it
                about = entry.stat(follow_symlinks=False)
                left = entry.name.startswith(NEW) and time.time() - about.st_mtime > ABANDONED
                if left or not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST:
                    drop(Path(entry.path))
                else:
                    files.append((about.st_mtime, about.st_size, entry.path))
    room = MOST_BYTES
    for _, size, path in sorted(files, reverse=True):
        room -= size
        if room < 0:
            with suppress(OSError):
                os.unlink(path)


@lru_cache(maxsize=8)
def forget_what_jax_kept(folder: Path) -> None:
    """Remove what earlier versions had JAX keep beside the programs: nothing reads it any more."""
    with suppress(OSError):
        for path in [*folder.glob("*-cache"), *folder.glob("*-atime"), folder / ".lockfile"]:
            with suppress(OSError):
                path.unlink(missing_ok=True)


@lru_cache(maxsize=1)
def processor() -> str:
    """Name this kind of processor: a hash of its model and its instructions."""
    facts = {platform.machine(), platform.processor()}
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        facts |= {line for line in lines if line.startswith(("model name", "flags", "Features"))}
    except OSError:  # not Linux
        facts.add(platform.platform())
    return hashlib.sha256("\n".join(sorted(facts)).encode()).hexdigest()[:16]
