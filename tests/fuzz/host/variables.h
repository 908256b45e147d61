/* Included before everything else by the code under test: puts its variables into sections of their
 * own, which fuzz_reset() sets back. */
#pragma clang section bss = "variables_zero" data = "variables_set"
