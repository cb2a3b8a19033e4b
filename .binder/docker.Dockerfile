# docker build -f .binder/docker.Dockerfile -t slimvox . && docker run --rm -p 8888:8888 slimvox
FROM eclipse-temurin:25-jdk
RUN apt-get update -q && \
    apt-get install -y -q --no-install-recommends maven python3 python3-venv && \
    rm -rf /var/lib/apt/lists/*
ENV SLIMVOX_JAVA_HOME=/opt/java/openjdk LC_ALL=C.UTF-8
RUN useradd -m slimvox
USER slimvox
WORKDIR /home/slimvox/project
COPY --chown=slimvox . .
# A volume mounted there belongs to who owns the folder.
RUN mkdir -p work && notebooks/lab --setup
EXPOSE 8888
CMD ["notebooks/lab", "--no-browser", "--ip=0.0.0.0"]
