#!/usr/bin/env bash
# Applies config/default with the image that the caller names, through an overlay under bin/, so that choosing an image
# changes no file that git tracks.
#
#   IMAGE=registry.example/onebid:1.2 hack/deploy.sh KUBECTL
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
kubectl=$1 image=${IMAGE:-onebid:dev}

mkdir -p bin/deploy
{
  echo "apiVersion: kustomize.config.k8s.io/v1beta1"
  echo "kind: Kustomization"
  echo "resources: [../../config/default]"
  echo "images:"
  if [[ $image == *@* ]]; then
    name=${image%@*} pin="digest: \"${image##*@}\""
  # Only a colon behind the last slash starts a tag; one before it is the port of a registry.
  elif [[ ${image##*/} == *:* ]]; then
    name=${image%:*} pin="newTag: \"${image##*:}\""
  else
    name=$image pin="newTag: latest"
  fi
  echo "- {name: onebid, newName: \"$name\", $pin}"
} >bin/deploy/kustomization.yaml
"$kubectl" apply --server-side -k bin/deploy
