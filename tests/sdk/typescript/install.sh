#!/bin/sh
# Installs the TypeScript SDK as the lock says, once for each lock; says so where there is no node.
set -eu
cd "$(dirname "$0")"
if ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1; then
  echo "node or npm is not here: the stories of the TypeScript SDK are left out (node 20 or newer brings them in)." >&2
  exit 0
fi
if cmp -s package-lock.json node_modules/.of; then exit 0; fi
echo "Installing the TypeScript SDK (once; takes a minute)"
npm ci --omit=dev --silent
cp package-lock.json node_modules/.of
