# Unverified: written without a container runtime at hand, so nobody has built this image yet. Verified without one: the broker
# runs under scripts/container/seccomp.json, and one port serves a machine of several cores.
#
#   docker build -t corelane .
#   docker run --security-opt seccomp=scripts/container/seccomp.json --ulimit memlock=-1 -v corelane:/data \
#       -p 9092:9092 corelane
#
# One port for all cores (advertise=per-machine), and clients are told localhost:9092. Published elsewhere, or for clients on
# other machines: -e CORELANE_ADVERTISED_LISTENERS=PLAINTEXT://name:port. A port per core costs less CPU where connections ask for
# partitions of several cores: -e CORELANE_ADVERTISE=per-core -p 9092-9093:9092-9093 -e CORELANE_CORES=2.
# The default seccomp profile of current container runtimes forbids io_uring, hence the first option.
# Every configuration key can be set as KAFKA_<KEY> or CORELANE_<KEY>, dots as underscores. scripts/container/compose.yaml does it all.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY benches benches
RUN cargo build --release --locked --bin corelane \
    && printf '%s\n' listeners=PLAINTEXT://:9092 advertised.listeners=PLAINTEXT://localhost:9092 \
        advertise=per-machine log.dirs=/data/log > server.properties \
    && mkdir data

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/release/corelane /usr/local/bin/corelane
COPY --from=build /build/server.properties /etc/corelane/server.properties
COPY --from=build --chown=nonroot:nonroot /build/data /data
USER nonroot
VOLUME /data
EXPOSE 9092
STOPSIGNAL SIGTERM
ENTRYPOINT ["corelane"]
CMD ["start", "--config", "/etc/corelane/server.properties", "--log-format", "json"]
