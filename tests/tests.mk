include tests/unit/unit.mk
-include tests/system/system.mk
