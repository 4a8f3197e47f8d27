"""kafkajs: a small program in the folder of its name; its packages lie in the user's cache folder."""

import os
import shutil

import job
import text
from broker import run

HERE = os.path.dirname(os.path.abspath(__file__))
VERSION = "2.2.4"


def program(name="job.js"):
    home = os.path.join(text.cache(), f"kafkajs-{VERSION}")
    if not os.path.exists(f"{home}/.complete"):
        os.makedirs(home, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(os.path.join(HERE, "kafkajs", name), home)
        run(["npm", "ci", "--prefix", home, "--ignore-scripts", "--no-audit", "--no-fund"], seconds=300)
        open(f"{home}/.complete", "w").close()
    return ["env", f"NODE_PATH={home}/node_modules", "node", os.path.join(HERE, "kafkajs", name)]


def tests():
    yield from job.matrix("kafkajs", program, ("snappy", "gzip"))
