#!/bin/sh
# run.sh PYTHON "PYTEST FILES" PROGRAM...: runs unit tests, shows what fails, ends with the counts.
python=$1 pytests=$2
shift 2
passed=0 failed=0

for program in "$@"; do
    log=$program.log
    "$program" >"$log" 2>&1
    status=$?
    ok=$(grep -c '^\[       OK \]' "$log")
    bad=$(grep -c '^\[  FAILED  \] [a-z_A-Z0-9]*$' "$log")
    passed=$((passed + ok))
    if [ $status -ne 0 ]; then
        # A program that a sanitizer ended has no line for the test that failed.
        [ "$bad" -gt 0 ] || bad=1
        failed=$((failed + bad))
        echo "FAILED: $program"
        grep -v '^\[ RUN  \|^\[       OK \]' "$log" | tail -n 60
    fi
done

if [ -n "$pytests" ]; then
    log=${BUILD:-build}/unit/pytest.log
    # shellcheck disable=SC2086 # the names are words
    "$python" -m pytest -q -p no:cacheprovider $pytests >"$log" 2>&1
    status=$?
    ok=$(sed -n 's/.*\b\([0-9][0-9]*\) passed.*/\1/p' "$log" | tail -n 1)
    bad=$(sed -n 's/.*\b\([0-9][0-9]*\) \(failed\|error\).*/\1/p' "$log" | tail -n 1)
    passed=$((passed + ${ok:-0}))
    if [ $status -ne 0 ]; then
        failed=$((failed + ${bad:-1}))
        tail -n 100 "$log"
    fi
fi

echo "unit tests: $passed passed, $failed failed"
[ $failed -eq 0 ]
