# What the scenes share: read at the head of each script.

# The group of the one bottle that runs; waits for it.
group() {
  local found=
  until [ -n "$found" ]; do found=$(ls -d "$GROUPS_HERE"/bottle-* 2>/dev/null | head -n 1); done
  echo "$found"
}

# Waits for a file that the agent makes in the workspace.
wait_for() { until [ -e "$1" ]; do usleep 20000; done; }

# Runs a bottle to its end and says its exit code.
run() { bottle run "$@"; echo "exit code $?"; }
