from runcycles.testing import play


def test_an_extension_starts_from_the_current_expiry_not_from_now() -> None:
    play("""
        budget   acme                   allocated 100
        reserve  r1 acme 10 ttl 60s     -> allowed left 60s
        advance  20s
        extend   r1 30s                 -> extended left 70s
        extend   r1 1ms                 -> extended left 70001ms
        balance  acme                   -> reserved 10
    """)


def test_a_lease_is_extended_up_to_its_last_millisecond_and_not_in_its_grace() -> None:
    play("""
        budget   acme                            allocated 100
        reserve  r1 acme 10 ttl 10s grace 60s    -> allowed
        reserve  r2 acme 10 ttl 10s grace 60s    -> allowed
        advance  10s
        extend   r1 5s                           -> extended left 5s
        advance  1ms
        extend   r2 5s                           -> refused RESERVATION_EXPIRED http 410
        commit   r2 10                           -> charged 10
    """)


def test_an_extended_reservation_is_settled_until_its_new_end() -> None:
    play("""
        budget   acme                          allocated 100
        reserve  r1 acme 10 ttl 10s grace 5s   -> allowed
        extend   r1 10s                        -> extended left 20s
        advance  25s
        sweep                                  -> expired 0
        commit   r1 10                         -> charged 10
    """)


def test_extensions_are_counted_ten_unless_the_tenant_says_otherwise() -> None:
    ten_times = "extend r1 1s -> extended\n" * 10
    play(f"""
        budget   acme            allocated 100
        reserve  r1 acme 10      -> allowed
        {ten_times}
        extend   r1 1s           -> refused MAX_EXTENSIONS_EXCEEDED http 409
        commit   r1 10           -> charged 10
    """)


def test_a_reservation_keeps_the_limit_of_extensions_it_was_made_with() -> None:
    play("""
        budget   acme            allocated 100
        tenant   acme            max-extensions 0
        reserve  r1 acme 10      -> allowed
        tenant   acme            max-extensions 1
        reserve  r2 acme 10      -> allowed
        extend   r1 1s           -> refused MAX_EXTENSIONS_EXCEEDED
        extend   r2 1s           -> extended
        extend   r2 1s           -> refused MAX_EXTENSIONS_EXCEEDED
    """)


def test_a_lease_may_be_extended_beyond_the_longest_ttl() -> None:
    play("""
        budget   acme                   allocated 100
        reserve  r1 acme 10 ttl 24h     -> allowed left 1h
        extend   r1 24h                 -> extended left 25h
    """)


def test_a_frozen_budget_and_a_suspended_tenant_do_not_stop_an_extension() -> None:
    play("""
        budget   acme            allocated 100
        reserve  r1 acme 10      -> allowed
        freeze   acme
        tenant   acme            status SUSPENDED
        extend   r1 1s           -> extended
    """)
