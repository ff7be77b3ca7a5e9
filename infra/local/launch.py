"""Becomes a server that dies with its parent: run as a script, it drops root, ties the lifetimes, then executes."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 4
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


def main(arguments: list[str]) -> None:
    """With `reach`, keeps the one capability that opens folders only root may enter, such as root's own home."""
    parent, death_signal, uid, gid = map(int, arguments[:4])
    reach, command = arguments[4] == "reach", arguments[5:]
    os.setsid()
    libc = ctypes.CDLL(None, use_errno=True)
    if uid != os.getuid():
        if reach:
            # access(2) drops the capability again unless this bit is set, and PostgreSQL asks access(2) about itself.
            _check(libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0))
            _check(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        if reach:
            _keep_only_dac_override(libc)
    if sys.platform == "linux":
        # After the change of user, which would clear it.
        _check(libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0))
        if os.getppid() != parent:
            sys.exit("the parent died before the server started")
    # Python ignores these two, and a child would go on ignoring them.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.execv(command[0], command)  # noqa: S606 - a shell is what this must not be


def _keep_only_dac_override(libc: ctypes.CDLL) -> None:
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    one = 1 << CAP_DAC_OVERRIDE
    # effective, permitted, inheritable; then the same for capabilities 32 and up.
    sets = (ctypes.c_uint32 * 6)(one, one, one, 0, 0, 0)
    _check(libc.capset(ctypes.byref(header), ctypes.byref(sets)))
    _check(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main(sys.argv[1:])
