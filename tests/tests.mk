include tests/unit/unit.mk
include tests/fuzz/host/host.mk
-include tests/system/system.mk
include tests/bench/bench.mk
include tests/fuzz/fuzz.mk
