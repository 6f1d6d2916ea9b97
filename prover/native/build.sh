#!/usr/bin/env bash
# Builds the native engine with plain g++: build.sh OUTPUT_DIR [release|sanitize|self-test]
# CXX may name a compiler for another processor. self-test builds a program instead of an addon (self-test.cpp).
# Every instruction set compiles the same sources under its own namespace; cpu.cpp picks one when the addon loads.
set -euo pipefail
out=$1
mode=${2:-release}
root=$(cd "$(dirname "$0")/../.." && pwd)
source=$root/prover/native
cxx=${CXX:-g++}

if ! command -v "$cxx" > /dev/null; then
  echo "native engine: not built (no $cxx); proofs will run on snarkjs"
  exit 0
fi
mkdir -p "$out"

modules=$root/node_modules
flags=(-std=c++20 -Wall -Wextra -fPIC -pthread -fvisibility=hidden -DNDEBUG)
link=(-shared -pthread -Wl,-z,nodelete -Wl,-z,relro,-z,now)
case $mode in
  release) flags+=(-O3) link+=(-s) ;;
  sanitize)
    flags+=(-O1 -g1 -fno-var-tracking-assignments -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
    link+=(-fsanitize=address,undefined)
    ;;
  self-test) flags+=(-O2) link=(-static -pthread) ;;
  *) echo "unknown mode $mode" >&2 && exit 2 ;;
esac
napi=(-isystem "$modules/node-api-headers/include" -isystem "$modules/node-addon-api"
  -DNAPI_CPP_EXCEPTIONS -DNODE_ADDON_API_DISABLE_DEPRECATED)

# object, source, flags. Template code that several objects share is taken from the first that has it, so those that
# need newer processors stand last.
front="addon.o addon.cc" product=verinfer.node
if [ "$mode" = self-test ]; then front="self-test.o self-test.cpp" product=self-test; fi
units=("$front" "cpu.o cpu.cpp" "backend-portable.o backend.cpp -DVERINFER_ISA=portable"
  "kernels-portable.o kernels.cpp -DVERINFER_ISA=portable")
if [[ $("$cxx" -dumpmachine) == x86_64-* ]]; then
  adx="-DVERINFER_ISA=adx -DVERINFER_ASM"
  # gcc takes its own _mm512_undefined for a mistake
  ifma="-DVERINFER_ISA=ifma -DVERINFER_ASM -DVERINFER_IFMA -mbmi2 -madx -mavx512f -mavx512dq -mavx512bw -mavx512vl"
  ifma+=" -mavx512ifma -mavx512vbmi2 -Wno-uninitialized -Wno-maybe-uninitialized"
  units+=("backend-adx.o backend.cpp $adx" "kernels-adx.o kernels.cpp $adx" "backend-ifma.o backend.cpp $ifma")
fi

objects=() pids=()
for unit in "${units[@]}"; do
  read -r object file extra <<< "$unit"
  # shellcheck disable=SC2086
  "$cxx" "${flags[@]}" "${napi[@]}" $extra -c "$source/$file" -o "$out/$object" &
  pids+=($!)
  objects+=("$out/$object")
done
for pid in "${pids[@]}"; do wait "$pid"; done
"$cxx" "${link[@]}" "${objects[@]}" -o "$out/$product.new"
mv "$out/$product.new" "$out/$product" # a running process keeps the file it has open
rm -f "${objects[@]}"
