/* Keys bound during a call (bind_meta_app), bridged or in an application: the meta key (variable bind_meta_key, default
 * *) and then a bound digit, within five seconds, run an application. Digits come by leg_meta_digit from either side's
 * DTMF. */
#pragma once
#include "core/leg/leg.h"

enum { LEG_META_LISTEN_A = 1, LEG_META_LISTEN_B = 2 };
/* leg made the binding; listen says on whose keys. flags as FreeSWITCH's: s/o run on the same/other side as the key
 * came from, a/b on that leg (a without any), i as an inline dialplan, 1 only once. app is "name::args" or "name args".
 * Replaces a binding of the key. ST_INVAL: no key, or more than one of s o a b. */
ON_CTL int leg_meta_bind(struct leg *leg, char key, unsigned listen, struct sv flags, const char *app);
ON_CTL void leg_meta_unbind(struct leg *leg, char key /* 0 = all */);
/* A digit came from leg; true when it belonged to a binding (and should not go on). */
ON_CTL bool leg_meta_digit(struct leg *leg, char digit);
/* Whether a binding, its own or the other leg's, waits for keys of the leg's phone. */
ON_CTL bool leg_meta_listens(const struct leg *leg);
/* When the leg goes. */
ON_CTL void leg_meta_fini(struct leg *leg);
