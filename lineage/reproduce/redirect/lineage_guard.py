"""The second barrier: an audit hook that refuses what was not led elsewhere.

It sees every open, removal and change that comes by Python's own functions, with the paths that
really go to the system; native libraries do not come by. Where Landlock confines the process (said
by ``LINEAGE_CONFINED``) other programs may be started, since the kernel watches them too.
"""

import os
import sys

from lineage_paths import FREE, resolve, within

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

# Event -> the arguments that are paths, and whether a link at their end is followed.
_PATHS = {
    "os.remove": ((0,), False), "os.mkdir": ((0,), False), "os.rmdir": ((0,), False),
    "os.rename": ((0, 1), False), "os.link": ((0, 1), False), "os.symlink": ((1,), False),
    "os.truncate": ((0,), True), "os.chmod": ((0,), True), "os.chown": ((0,), True),
    "os.utime": ((0,), True), "os.setxattr": ((0,), True), "os.removexattr": ((0,), True),
    "sqlite3.connect": ((0,), True),
}  # fmt: skip
_PROGRAMS = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile")


def install(scratch, network, confined):
    """Refuse from now on. There is no way to take an audit hook away."""

    def hook(event, args):
        if event == "open":
            if args[2] & _WRITING or (args[1] and set(args[1]) & set("wax+")):
                _check(scratch, event, args[0])
        elif event in _PATHS:
            places, follows = _PATHS[event]
            for place in places:
                _check(scratch, event, args[place], follows)
        elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            _check_address(scratch, network, event, args[1])
        elif event == "os.system" and not confined:
            raise _refused("os.system", args[0])
        elif event in _PROGRAMS and not confined:
            _check_program(event, args)

    sys.addaudithook(hook)


def _check(scratch, event, path, follows=True):
    if path is None or isinstance(path, int) or path in (b"", "", ":memory:"):
        return
    real = os.path.join(os.getcwd(), os.fsdecode(path)).rstrip("/")
    if follows:
        real = resolve(real)
    else:
        real = os.path.join(resolve(os.path.dirname(real)), os.path.basename(real))
    if not any(within(real, folder) for folder in (scratch, *FREE)):
        raise _refused(event, real)


def _check_address(scratch, network, event, address):
    if network or address is None:
        return
    if isinstance(address, (str, bytes)) and within(
        resolve(os.path.join(os.getcwd(), os.fsdecode(address))), scratch
    ):
        return
    raise _refused(event, address)


def _check_program(event, args):
    """Another Python is redirected as this one is, if it gets the variables that say so."""
    name = os.path.basename(os.fsdecode(args[0] or b""))
    environment = args[3] if event == "subprocess.Popen" else args[2] if len(args) > 2 else None
    told = environment is None or any(os.fsdecode(key) == "LINEAGE_REDIRECT" for key in environment)
    if not (name.startswith("python") and told):
        raise _refused(event, name)


def _refused(event, what):
    return PermissionError(
        "%s of %r is refused: this program is run again, and is to touch nothing real"
        % (event, what)
    )
