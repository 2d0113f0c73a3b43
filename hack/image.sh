#!/usr/bin/env bash
# Builds the image of one command from nothing but its own static binary: no base image is pulled, so this works offline and
# there is nothing in the image that needs patching but the binary.
#
#   COMMAND  manager or scanner                                       (manager)
#   IMAGE    name of the image                                        (onebid:dev)
#   ARCHIVE  also write it as an OCI archive, for `kind load` or `ctr images import`   (nothing)
#   GOARCH   architecture of the image                                (that of this machine)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
command=${COMMAND:-manager} image=${IMAGE:-onebid:dev}

if [[ ! -f cmd/$command/main.go ]]; then
  echo "image: COMMAND=$command must be the name of a folder under cmd, such as manager or scanner" >&2
  exit 1
fi

if ! command -v buildah >/dev/null; then
  echo "image: buildah is not installed. Install it and run the same command again:" >&2
  echo "  Debian, Ubuntu:  sudo apt-get update && sudo apt-get install --yes buildah" >&2
  echo "  Fedora, RHEL:    sudo dnf install buildah" >&2
  exit 1
fi

export GOOS=linux GOARCH=${GOARCH:-$(go env GOHOSTARCH)}
CGO_ENABLED=0 go build -trimpath -ldflags "${GOLDFLAGS:--s -w}" -o "bin/image/$command" "./cmd/$command"

# Nothing is run in the image, so no isolation is needed; chroot is the one that also works inside a container.
buildah build --isolation chroot --arch "$GOARCH" --build-arg "COMMAND=$command" --tag "$image" --file Dockerfile .
if [[ -n ${ARCHIVE:-} ]]; then
  buildah push "$image" "oci-archive:$ARCHIVE:$image"
fi
echo "image: $image ($GOOS/$GOARCH) is ready"
