# Sourced by ./leap-nbd and tools/package: makes the AOT caches of what was built. POSIX sh, with jvm.sh and launch.sh; defines
# functions only.

# Lets the JVM learn from a short run which classes a server and a donor need, so that they start in half the time. train RUNTIME DIST;
# fails when there is no cache afterwards.
train() {
  trainer=$1/bin/java
  name_caches "$1" "$2"
  set_class_path "$2/lib"
  folder=$(mktemp -d) || return 1
  train_jvm "$donor_aot" donor --memory 16M --slab-size 1M --no-lock --drain-timeout 0s --listen 127.0.0.1:0 >"$folder/donor" &
  donor=$!
  address=$(when_ready "$folder/donor")
  train_jvm "$serve_aot" serve --donors "${address%% *}" --size 16M --threads 1 --unix "$folder/socket" --listen 127.0.0.1:0 \
    --export train --state-dir "$folder/state" >"$folder/serve" &
  serve=$!
  # shellcheck disable=SC2046
  timeout 60 "$trainer" $(jvm_flags train) -cp "$class_path" io.leapnbd.tools.LeapNbd train \
    $address $(when_ready "$folder/serve")
  kill "$serve" "$donor"
  wait "$serve" "$donor"
  rm -rf "$folder"
  [ -s "$serve_aot.new" ] && [ -s "$donor_aot.new" ] && mv "$serve_aot.new" "$serve_aot" && mv "$donor_aot.new" "$donor_aot"
}

# Runs a command that writes its cache to $1 when it ends.
train_jvm() {
  output=$1
  shift
  # shellcheck disable=SC2046
  LEAP_NBD_CONFIG=none LEAP_NBD_RUN_DIR=$folder exec timeout 60 "$trainer" $(jvm_flags train) -XX:AOTCacheOutput="$output.new" -cp "$class_path" \
    io.leapnbd.tools.LeapNbd "$@" --unprotected --http 127.0.0.1:0
}

# Prints what a command says that it listens at.
when_ready() {
  tries=0
  until grep -q '^ready ' "$1" || [ $tries = 300 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
  sed -n 's/^ready //p' "$1"
}
