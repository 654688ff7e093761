from runcycles.testing import play


def test_a_release_gives_the_whole_estimate_back() -> None:
    play("""
        budget       acme            allocated 100
        budget       acme/bot        allocated 50
        reserve      r1 acme/bot 40  -> allowed
        release      r1              -> released 40
        balance      acme            -> reserved 0 spent 0 remaining 100
        balance      acme/bot        -> reserved 0 spent 0 remaining 50
        reservation  r1              -> state RELEASED held 40
        release      r1              -> refused RESERVATION_FINALIZED http 409
        commit       r1 1            -> refused RESERVATION_FINALIZED
    """)


def test_a_reservation_is_settled_up_to_the_last_millisecond_of_its_grace() -> None:
    play("""
        budget   acme                             allocated 100
        reserve  r1 acme 10 ttl 10s grace 5s      -> allowed
        reserve  r2 acme 10 ttl 10s grace 5s      -> allowed
        reserve  r3 acme 10 ttl 10s grace 5s      -> allowed
        reserve  r4 acme 10 ttl 10s grace 5s      -> allowed
        advance  15s
        commit   r1 10                            -> charged 10
        release  r2                               -> released 10
        sweep                                     -> expired 0
        advance  1ms
        commit   r3 10                            -> refused RESERVATION_EXPIRED http 410
        release  r4                               -> refused RESERVATION_EXPIRED http 410
        sweep                                     -> expired 2
    """)


def test_without_grace_a_reservation_is_settled_up_to_its_expiry() -> None:
    play("""
        budget   acme                          allocated 100
        reserve  r1 acme 10 ttl 10s grace 0    -> allowed
        reserve  r2 acme 10 ttl 10s grace 0    -> allowed
        advance  10s
        commit   r1 10                         -> charged 10
        advance  1ms
        commit   r2 10                         -> refused RESERVATION_EXPIRED
    """)


def test_grace_is_five_seconds_where_nothing_is_asked_for() -> None:
    play("""
        budget   acme                      allocated 100
        reserve  r1 acme 10 ttl 10s        -> allowed
        reserve  r2 acme 10 ttl 10s        -> allowed
        advance  15s
        commit   r1 10                     -> charged 10
        advance  1ms
        commit   r2 10                     -> refused RESERVATION_EXPIRED
    """)


def test_a_sweep_gives_back_what_an_overdue_reservation_holds() -> None:
    play("""
        budget       acme                  allocated 100
        budget       acme/bot              allocated 50
        reserve      r1 acme/bot 40 ttl 10s -> allowed
        reserve      r2 acme/bot 10 ttl 1h -> allowed
        advance      15001ms
        balance      acme                  -> reserved 50
        reservation  r1                    -> state ACTIVE
        sweep                              -> expired 1
        reservation  r1                    -> state EXPIRED
        balance      acme                  -> reserved 10 remaining 90
        balance      acme/bot              -> reserved 10 remaining 40
        sweep                              -> expired 0
    """)


def test_what_expired_cannot_be_settled_or_extended() -> None:
    play("""
        budget   acme                  allocated 100
        reserve  r1 acme 10            -> allowed
        advance  2m
        sweep                          -> expired 1
        commit   r1 10                 -> refused RESERVATION_EXPIRED http 410
        commit   r1 10 CREDITS         -> refused RESERVATION_EXPIRED
        release  r1                    -> refused RESERVATION_EXPIRED http 410
        extend   r1 1s                 -> refused RESERVATION_EXPIRED http 410
        balance  acme                  -> reserved 0 spent 0
    """)


def test_a_sweep_leaves_what_was_settled_in_time_as_it_is() -> None:
    play("""
        budget       acme              allocated 100
        reserve      r1 acme 10        -> allowed
        commit       r1 10             -> charged 10
        advance      1d
        sweep                          -> expired 0
        reservation  r1                -> state COMMITTED
    """)


def test_late_spend_is_recorded_as_an_event() -> None:
    play("""
        budget   acme                  allocated 100
        reserve  r1 acme 10            -> allowed
        advance  2m
        commit   r1 10 key k           -> refused RESERVATION_EXPIRED
        event    acme 10 key k         -> applied charged 10
        sweep                          -> expired 1
        balance  acme                  -> reserved 0 spent 10
    """)


def test_a_sweep_expires_reservations_of_closed_tenants_and_frozen_budgets() -> None:
    play("""
        budget   acme                  allocated 100
        reserve  r1 acme 10            -> allowed
        tenant   acme                  status CLOSED
        freeze   acme
        advance  2m
        sweep                          -> expired 1
        balance  acme                  -> reserved 0 state FROZEN
    """)
