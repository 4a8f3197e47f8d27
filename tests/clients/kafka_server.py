"""A real Kafka of one node, from the jars that the other tests fetch through Maven: what our own client has to get on with too."""

import os
import shutil
import socket
import subprocess
import time

from broker import free_ports, run, scratch
from java import classpath

START_SECONDS_MAX = 90

PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
"""


class KafkaServer:
    """Killed with all other processes of a test."""

    def __init__(self, version, jvm=("-Xms256m", "-Xmx512m", "-XX:TieredStopAtLevel=1"), properties=""):
        self.home = scratch(f"kafka-{version}")
        self.port = free_ports(2)
        self.address = f"127.0.0.1:{self.port}"
        extra, properties = properties, os.path.join(self.home, "server.properties")
        with open(properties, "w") as out:
            out.write(PROPERTIES.format(port=self.port, controller=self.port + 1, data=f"{self.home}/data") + extra)
        java = ["java", *jvm, "-cp", classpath(version)]
        run([*java, "kafka.tools.StorageTool", "format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c", properties])
        self.line = [*java, "kafka.Kafka", properties]
        self.start()

    def start(self):
        """Also after a kill: same data, same port."""
        with open(os.path.join(self.home, "log"), "wb") as log:
            self.process = subprocess.Popen(self.line, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    with open(os.path.join(self.home, "log")) as log:
                        said = log.read()[-3000:]
                    self.stop()
                    raise AssertionError(f"Kafka does not start:\n{said}") from None
                time.sleep(0.1)

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.kill()
        shutil.rmtree(self.home, ignore_errors=True)
