# Unverified: written without a container runtime at hand, so nobody has built this image yet.
#
#   docker build -t corelane .
#   docker run --security-opt seccomp=unconfined --ulimit memlock=-1 -v corelane:/data \
#       -p 9092-9093:9092-9093 -e CORELANE_CORES=2 -e CORELANE_ADVERTISED_LISTENERS=PLAINTEXT://localhost:9092 corelane
#
# One port per core. The default seccomp profile of current container runtimes forbids io_uring, hence the first option.
# Every configuration key can be set as KAFKA_<KEY> or CORELANE_<KEY>, dots as underscores.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY benches benches
RUN cargo build --release --locked --bin corelane \
    && printf 'listeners=PLAINTEXT://:9092\nlog.dirs=/data/log\n' > server.properties \
    && mkdir data

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/release/corelane /usr/local/bin/corelane
COPY --from=build /build/server.properties /etc/corelane/server.properties
COPY --from=build --chown=nonroot:nonroot /build/data /data
USER nonroot
VOLUME /data
EXPOSE 9092-9099
STOPSIGNAL SIGTERM
ENTRYPOINT ["corelane"]
CMD ["start", "--config", "/etc/corelane/server.properties", "--log-format", "json"]
