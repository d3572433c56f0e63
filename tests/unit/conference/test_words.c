/* The application's data and the flags. */
#include "conference/conf_i.h"
#include "harness.h"
#include "text/mark.h"

static bool is(struct sv v, const char *want)
{
	return sv_is(v, want);
}

static int test_words(void)
{
	static const struct {
		const char *text, *name, *profile, *pin, *flags, *bridge;
		int status;
	} cases[] = {
	    {"a", "a", "", "", "", "", ST_OK},
	    {" a ", "a", "", "", "", "", ST_OK},
	    {"a@p", "a", "p", "", "", "", ST_OK},
	    {"a@p+12", "a", "p", "12", "", "", ST_OK},
	    {"a+12", "a", "", "12", "", "", ST_OK},
	    {"a@p+12+flags{mute|deaf}", "a", "p", "12", "mute|deaf", "", ST_OK},
	    {"a@p+flags{}", "a", "p", "", "", "", ST_OK},
	    {"a+flags{mute}", "a", "", "", "mute", "", ST_OK},
	    {"bridge:a@p:user/1", "a", "p", "", "", "user/1", ST_OK},
	    {"bridge:a:sofia/x/1@h:5060", "a", "", "", "", "sofia/x/1@h:5060", ST_OK},
	    {"bridge:a", NULL, NULL, NULL, NULL, NULL, ST_INVAL},
	    {"a+flags{mute", NULL, NULL, NULL, NULL, NULL, ST_INVAL},
	    {"@p", NULL, NULL, NULL, NULL, NULL, ST_INVAL},
	    {"+12", NULL, NULL, NULL, NULL, NULL, ST_INVAL},
	    {"", NULL, NULL, NULL, NULL, NULL, ST_INVAL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct conf_words w = {.is_bridge = false};
		EXPECT_INT(conf_words_parse(sv_of(cases[i].text), &w), cases[i].status);
		if (cases[i].status)
			continue;
		EXPECT(is(w.name, cases[i].name) && is(w.profile, cases[i].profile) && is(w.pin, cases[i].pin));
		EXPECT(is(w.flags, cases[i].flags) && is(w.bridge, cases[i].bridge));
	}
	return 0;
}

/* Separators that a caller wrote part nothing. */
static int test_words_from_outside(void)
{
	struct conf_words w;
	struct buf b;
	buf_init(&b);
	mark_put(&b, SV("x@p+1+flags{moderator}"));
	buf_adds(&b, "@quiet");
	EXPECT_INT(conf_words_parse(buf_sv(&b), &w), ST_OK);
	EXPECT(is(w.profile, "quiet") && !w.flags.n && !w.pin.n && mark_is_whole(w.name));
	buf_clear(&b);
	mark_put(&b, SV("bridge:a:user/1"));
	EXPECT_INT(conf_words_parse(buf_sv(&b), &w), ST_OK);
	EXPECT(!w.is_bridge);
	buf_fini(&b);
	return 0;
}

static void count(struct sv name, void *arg)
{
	(void)name;
	++*(int *)arg;
}

static int test_flags(void)
{
	int unknown = 0;
	EXPECT_INT(
	    conf_member_flags_parse(SV("mute| DEAF |nosuch|join-vid-floor||"), count, &unknown), CM_MUTE | CM_DEAF);
	EXPECT_INT(unknown, 1);
	EXPECT_INT(conf_room_flags_parse(SV("wait-mod|audio-always|rfc-4579"), count, &unknown),
	    CR_WAIT_MOD | CR_AUDIO_ALWAYS);
	EXPECT_INT(unknown, 1);
	return 0;
}

TEST_MAIN({"words", test_words, 0}, {"words_from_outside", test_words_from_outside, 0}, {"flags", test_flags, 0})
