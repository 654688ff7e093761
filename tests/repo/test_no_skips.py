import pytest

SUITE = """
    import pytest

    def test_that_runs(): pass

    @pytest.mark.skip(reason="not today")
    def test_that_is_skipped(): pass

    @pytest.mark.xfail(reason="known")
    def test_that_is_expected_to_fail(): assert False
"""


def test_a_skipped_test_fails_under_the_plugin(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_inprocess("-p", "tests.no_skips")
    result.assert_outcomes(passed=1, errors=1, xfailed=1)
    result.stdout.fnmatch_lines(["*a skipped test proves nothing*not today*"])


def test_a_module_skipped_while_collecting_fails_under_the_plugin(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile("import pytest; pytest.importorskip('no_such_module')")
    result = pytester.runpytest_inprocess("-p", "tests.no_skips")
    result.assert_outcomes(errors=1)
    assert result.ret != pytest.ExitCode.OK


def test_without_the_plugin_a_skip_stays_a_skip(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    pytester.runpytest_inprocess().assert_outcomes(passed=1, skipped=1, xfailed=1)
