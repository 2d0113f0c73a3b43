# `make image` builds the static binary first; there is no build stage, because it would have to pull a base image.
# CA roots are compiled into the binary, so an empty image is enough.
FROM scratch
# manager or scanner.
ARG COMMAND=manager
COPY bin/image/${COMMAND} /onebid
# Numeric, so that `runAsNonRoot: true` can be checked without a user database.
USER 65532:65532
ENTRYPOINT ["/onebid"]
