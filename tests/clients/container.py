"""The image without a container: its seccomp profile as a filter of the kernel, its configuration file, one port for all cores."""

import ctypes
import filecmp
import json
import os
import re
import struct
import subprocess

import text
from broker import PER_MACHINE, Broker, run
from kcat import consume, produce

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PROFILE = os.path.join(ROOT, "scripts", "container", "seccomp.json")
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
RET_ALLOW, RET_ERRNO = 0x7FFF0000, 0x00050000
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06


def numbers():
    """System calls of this processor by name, as the C compiler knows them."""
    line = ["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", os.devnull]
    defined = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", defined)}


def program(profile):
    """The profile as the kernel's filter program."""
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    known = numbers()
    steps = [struct.pack("HBBI", LOAD_WORD, 0, 0, 0)]
    for group in profile["syscalls"]:
        assert group["action"] == "SCMP_ACT_ALLOW"
        for number in sorted(known[name] for name in group["names"] if name in known):
            steps += [struct.pack("HBBI", JUMP_IF_EQUAL, 0, 1, number), struct.pack("HBBI", RETURN, 0, 0, RET_ALLOW)]
    steps.append(struct.pack("HBBI", RETURN, 0, 0, RET_ERRNO | profile["defaultErrnoRet"]))
    return steps


def filter_of(profile):
    """Run by the child process before the binary."""
    steps = program(profile)
    code = ctypes.create_string_buffer(b"".join(steps))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)

    def install():
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, head, 0, 0):
            raise OSError(ctypes.get_errno(), "the filter cannot be installed")

    install.keep = code
    return install


def read_profile():
    with open(PROFILE) as file:
        return json.load(file)


def everything_under_the_profile():
    small = {"num.partitions": 2, "journal.file.bytes": 2 << 20, "log.segment.bytes": 1 << 20, "tail.cache.bytes": 0}
    broker = Broker(cores=2, sets=small, mode=PER_MACHINE, before=filter_of(read_profile()))
    with open(f"/proc/{broker.process.pid}/status") as status:
        assert "Seccomp:\t2" in status.read(), "no filter"
    back = f"{broker.data_dir}.text"
    try:
        for partition in range(2):
            produce(broker, "t", partition, text.make(2), "lz4")
            consume(broker, "t", partition, back)
            assert filecmp.cmp(text.make(2), back, shallow=False)
        run(["kcat", "-Q", "-b", broker.address, "-t", "t:0:1600000000000"])
    finally:
        if os.path.exists(back):
            os.remove(back)
    broker.stop()


def without_io_uring_it_says_what_to_do():
    profile = read_profile()
    for group in profile["syscalls"]:
        group["names"] = [name for name in group["names"] if not name.startswith("io_uring")]
    try:
        Broker(mode=PER_MACHINE, before=filter_of(profile))
    except AssertionError:
        refused = Broker.running.pop()
        refused.reader.join()
        said = "\n".join(refused.stderr)
        assert "io_uring cannot be used" in said and "scripts/container/seccomp.json" in said, said
    else:
        raise AssertionError("the filter filters nothing")


def tests():
    yield "the broker runs under the image's seccomp profile", everything_under_the_profile
    yield "a profile without io_uring is named as the cause", without_io_uring_it_says_what_to_do
