"""Kafka's own Java programs, 3.9 and 4.3, unchanged: jars from Maven; processes, or one JVM that runs many tools."""

import os
import queue
import subprocess
import threading
import time

import text
from broker import run

OLD, NEW = "3.9.1", "4.3.1"
HERE = os.path.dirname(os.path.abspath(__file__))
OPTIONS = ["-Xmx256m", "-XX:TieredStopAtLevel=1"]

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>corelane</groupId><artifactId>clients</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{version}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
"""

# Where 3.9 keeps what 4.3 has in org.apache.kafka.tools; ConfigCommand stays where it is.
PACKAGES = {
    (OLD, "ConsoleProducer"): "kafka.tools", (OLD, "BrokerApiVersionsCommand"): "kafka.admin",
    (OLD, "ConfigCommand"): "kafka.admin", (NEW, "ConfigCommand"): "kafka.admin",
    (OLD, "ReassignPartitionsCommand"): "org.apache.kafka.tools.reassign",
    (NEW, "ReassignPartitionsCommand"): "org.apache.kafka.tools.reassign",
}


def classpath(version):
    """Kafka's jars, fetched once into the user's cache folder."""
    libs = os.path.join(text.cache(), f"kafka-{version}")
    if not os.path.exists(os.path.join(libs, ".complete")):
        pom = os.path.join(text.cache(), f"pom-{version}")
        os.makedirs(pom, exist_ok=True)
        with open(os.path.join(pom, "pom.xml"), "w") as out:
            out.write(POM.format(version=version))
        line = ["mvn", "-q", "-B", "-f", f"{pom}/pom.xml", "dependency:copy-dependencies", f"-DoutputDirectory={libs}", "-DincludeScope=runtime"]
        run(line, seconds=600)
        open(os.path.join(libs, ".complete"), "w").close()
    # 3.9 brings a second logger, which complains about the first one.
    return ":".join(sorted(f"{libs}/{name}" for name in os.listdir(libs) if name.endswith(".jar") and "reload4j" not in name))


def class_of(version, name):
    return f"{PACKAGES.get((version, name), 'org.apache.kafka.tools')}.{name}"


def process_line(version, name, *arguments):
    return ["java", *OPTIONS, "-cp", classpath(version), class_of(version, name), *arguments]


def compile(version):
    """The sources in the folder `java`, with Kafka's jars of that release; gives the class path of both."""
    classes = os.path.join(text.cache(), f"classes-{version}")
    os.makedirs(classes, exist_ok=True)
    sources = [os.path.join(HERE, "java", name) for name in sorted(os.listdir(os.path.join(HERE, "java")))]
    run(["javac", "-nowarn", "-d", classes, "-cp", classpath(version), *sources])
    return f"{classes}:{classpath(version)}"


def member_line(version):
    """A group member as a process of its own (see member.py)."""
    return ["java", *OPTIONS, "-cp", compile(version), "Member"]


class Jvm:
    """One JVM per version of Kafka for all tests of a run: java/Tools.java, compiled with the other sources beside it."""

    running = {}

    def __init__(self, version):
        line = ["java", *OPTIONS, "-cp", compile(version), "Tools"]
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.version = version
        self.answers = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        answers = self.process.stdout
        for line in answers:
            try:
                code, out, err = (int(word) for word in line.split())
            except ValueError:
                self.answers.put((None, line + answers.read(), b""))
                break
            self.answers.put((code, answers.read(out), answers.read(err)))
        self.answers.put((None, b"", b"the JVM has ended"))

    def run(self, name, *arguments, stdin="", expect=0, seconds=60):
        """Standard output and standard error as text. Another exit code (None: any will do), or no end in time, fails the test."""
        tool = name if name == "ByTime" else class_of(self.version, name)
        line = "\x1f".join([stdin, tool, *arguments])
        assert "\n" not in line, line
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        shown = " ".join([name, self.version, *arguments])
        try:
            code, out, err = self.answers.get(timeout=seconds)
        except queue.Empty:
            self.stop()
            raise AssertionError(f"no end within {seconds} s: {shown}") from None
        out, err = out.decode(errors="replace"), err.decode(errors="replace")
        if code is None:
            self.stop()
        assert code is not None and expect in (code, None), f"exit code {code}: {shown}\n{out[-1500:]}\n{err[-3000:]}"
        return out, err

    def stop(self):
        self.process.kill()
        self.process.wait()
        Jvm.running.pop(self.version, None)

    @classmethod
    def of(cls, version):
        if version not in cls.running:
            cls.running[version] = Jvm(version)
        return cls.running[version]

    @classmethod
    def stop_all(cls):
        for jvm in list(cls.running.values()):
            jvm.stop()
