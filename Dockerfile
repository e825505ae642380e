# shadowproxy as a container: wheels only, no compiler, no root, nothing written but the log and the state.
#
#   docker build -t shadowproxy .
#   docker run --read-only -p 8080:8080 \
#     -v "$PWD/shadowproxy.yaml:/etc/shadowproxy/shadowproxy.yaml:ro" -v pairs:/data/shadow-pairs -v state:/data/shadow-state \
#     shadowproxy
#
# The file must say `listen: 0.0.0.0:8080`: inside a container the default, loopback, is reached by nobody. The health
# check asks the admin port on its default, 127.0.0.1:9900; with another one, or `off`, replace it or run with
# --no-healthcheck. Give the container longer to stop than limits.drain_delay + limits.drain (docker run --stop-timeout 30).

ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY constraints.txt ./
RUN pip install --constraint constraints.txt --upgrade pip \
 && python -m venv --without-pip /venv
# For shadowproxy itself: what a request passes through is compiled (hatch_build.py), and the compiler stays behind.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev
COPY pyproject.toml hatch_build.py README.md LICENSE NOTICE ./
COPY shadowproxy ./shadowproxy
# Dependencies come as wheels or not at all: a source build would differ from what was tested.
RUN SHADOWPROXY_COMPILE=1 pip wheel --no-deps --build-constraint constraints.txt --wheel-dir /wheels . \
 && pip --python /venv/bin/python install --only-binary :all: --constraint constraints.txt /wheels/shadowproxy-*.whl

FROM ${BASE}
LABEL org.opencontainers.image.title="shadowproxy" \
      org.opencontainers.image.description="Reverse proxy for model endpoints that mirrors requests to candidate models and reports what changed" \
      org.opencontainers.image.licenses="Apache-2.0"
# A number, so that Kubernetes can check runAsNonRoot. The volumes' directories exist with their owner before they are
# mounted: a named volume takes both from here.
RUN groupadd --gid 10001 shadowproxy \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin shadowproxy \
 && install --directory --owner 10001 --group 10001 --mode 0700 /data/shadow-pairs /data/shadow-state
COPY --from=build /venv /venv
# /dev/shm: the one tmpfs that a read-only container always has; the socket between worker and recorder lies there.
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 TMPDIR=/dev/shm
WORKDIR /data
VOLUME ["/data/shadow-pairs", "/data/shadow-state"]
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
# http.client, not urllib: a proxy named in the environment must not answer for us.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["python", "-I", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 9900, timeout=2); c.request('GET', '/livez'); raise SystemExit(c.getresponse().status != 200)"]
# The exec form: the supervisor is process 1 and gets the signals itself.
ENTRYPOINT ["shadowproxy"]
CMD ["run", "-c", "/etc/shadowproxy/shadowproxy.yaml"]
