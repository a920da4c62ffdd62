# rows.sh : what each row of docs/living-machines.md is seen by. Read by probe.sh, which has `is`.
# shellcheck shell=sh
