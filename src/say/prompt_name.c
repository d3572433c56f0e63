/* Prompts' names: what belongs to a sound package, and which file of Debian's asterisk-core-sounds-en says the same. */
#include "base/status.h"
#include "say/prompt_i.h"
#include <stdio.h>
#include <string.h>

static const char *const dirs[] = {"digits", "time", "currency", "ascii", "phonetic-ascii", "ivr", "voicemail",
    "conference", "directory", "misc", "base256", "zrtp", "users"};

static bool is_rate(struct sv s)
{
	uint32_t rate;

	return !sv_u32(s, &rate) && rate >= 8000 && rate <= 48000;
}

static struct sv last_of(struct sv *path)
{
	size_t n = path->n;
	struct sv last;

	while (n && path->p[n - 1] != '/')
		n--;
	last = sv_sub(*path, n, path->n);
	path->n = n ? n - 1 : 0;
	return last;
}

bool prompt_name_of(const char *path, struct prompt_name *out, size_t *root_bytes)
{
	struct sv rest = sv_of(path), base = last_of(&rest), dir = last_of(&rest);
	size_t dot = sv_find(base, '.');
	bool is_known = false;

	if (is_rate(dir) && rest.n)
		dir = last_of(&rest);
	base.n = dot;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		is_known = is_known || sv_is(dir, dirs[i]);
	if (!is_known || !base.n || base.n > 100)
		return false;
	for (size_t i = 0; i < base.n; i++)
		if (!strchr("_-", base.p[i]) && !(base.p[i] >= '0' && base.p[i] <= '9') &&
		    !((base.p[i] | 32) >= 'a' && (base.p[i] | 32) <= 'z'))
			return false;
	*out = (struct prompt_name){dir, base};
	*root_bytes = rest.n;
	return true;
}

static const struct {
	const char *name, *asterisk;
} same[] = {
    {"digits/dot", "letters/dot"},
    {"digits/period", "letters/dot"},
    {"currency/and", "vm-and"},
    {"currency/dollars", "digits/dollars"},
    {"currency/minus", "digits/minus"},
    {"currency/negative", "digits/minus"},
    {"time/hours", "hours"},
    {"time/minute", "minute"},
    {"time/minutes", "minutes"},
    {"time/second", "second"},
    {"time/seconds", "seconds"},
    {"voicemail/vm-deleted", "vm-deleted"},
    {"voicemail/vm-enter_new_pin", "vm-newpassword"},
    {"voicemail/vm-fail_auth", "vm-incorrect"},
    {"voicemail/vm-followed_by_pound", "vm-then-pound"},
    {"voicemail/vm-from", "vm-from"},
    {"voicemail/vm-goodbye", "vm-goodbye"},
    {"voicemail/vm-last", "vm-last"},
    {"voicemail/vm-mailbox_full", "vm-mailboxfull"},
    {"voicemail/vm-marked-urgent", "vm-marked-urgent"},
    {"voicemail/vm-message", "vm-message"},
    {"voicemail/vm-message_forwarded", "vm-msgforwarded"},
    {"voicemail/vm-messages", "vm-messages"},
    {"voicemail/vm-new", "vm-INBOX"},
    {"voicemail/vm-next", "vm-next"},
    {"voicemail/vm-not_available", "vm-isunavail"},
    {"voicemail/vm-password_has_been_changed", "vm-passchanged"},
    {"voicemail/vm-password_not_valid", "vm-invalid-password"},
    {"voicemail/vm-person", "vm-theperson"},
    {"voicemail/vm-press", "vm-press"},
    {"voicemail/vm-received", "vm-received"},
    {"voicemail/vm-saved", "vm-saved"},
    {"voicemail/vm-too-small", "vm-tooshort"},
    {"voicemail/vm-undeleted", "vm-undeleted"},
    {"voicemail/vm-urgent", "vm-Urgent"},
    {"voicemail/vm-you_have", "vm-youhave"},
    {"conference/conf-alone", "conf-onlyperson"},
    {"conference/conf-bad-pin", "conf-invalidpin"},
    {"conference/conf-being_recorded", "conf-now-recording"},
    {"conference/conf-conference_is_full", "conf-full"},
    {"conference/conf-enter", "confbridge-join"},
    {"conference/conf-enter_conf_number", "conf-getconfno"},
    {"conference/conf-enter_conf_pin", "conf-getpin"},
    {"conference/conf-entry_sound", "confbridge-join"},
    {"conference/conf-exit", "confbridge-leave"},
    {"conference/conf-exit_sound", "confbridge-leave"},
    {"conference/conf-goodbye", "vm-goodbye"},
    {"conference/conf-has_joined", "conf-hasjoin"},
    {"conference/conf-has_left", "conf-hasleft"},
    {"conference/conf-is-locked", "conf-lockednow"},
    {"conference/conf-is-unlocked", "conf-unlockednow"},
    {"conference/conf-kicked", "conf-kicked"},
    {"conference/conf-locked", "conf-locked"},
    {"conference/conf-muted", "conf-muted"},
    {"conference/conf-pin", "conf-getpin"},
    {"conference/conf-unmuted", "conf-unmuted"},
    {"ivr/ivr-call_being_transferred", "pbx-transfer"},
    {"ivr/ivr-call_cannot_be_completed_as_dialed", "cannot-complete-as-dialed"},
    {"ivr/ivr-for", "for"},
    {"ivr/ivr-hello", "hello"},
    {"ivr/ivr-im_sorry", "im-sorry"},
    {"ivr/ivr-number", "number"},
    {"ivr/ivr-one_moment_please", "one-moment-please"},
    {"ivr/ivr-please_check_number_try_again", "check-number-dial-again"},
    {"ivr/ivr-please_hold_while_party_contacted", "pls-hold-while-try"},
    {"ivr/ivr-please_try_again", "please-try-again"},
    {"ivr/ivr-that_was_an_invalid_entry", "pm-invalid-option"},
    {"ivr/ivr-there_are", "conf-thereare"},
    {"ivr/ivr-you_entered", "you-entered"},
    {"ivr/ivr-you_have_dialed_an_invalid_extension", "pbx-invalid"},
    {"misc/error", "tt-somethingwrong"},
    {"misc/invalid_extension", "pbx-invalid"},
    {"misc/sorry", "sorry"},
    {"ascii/32", "letters/space"},
    {"ascii/33", "letters/exclaimation-point"},
    {"ascii/35", "digits/pound"},
    {"ascii/36", "letters/dollar"},
    {"ascii/42", "digits/star"},
    {"ascii/43", "letters/plus"},
    {"ascii/45", "letters/dash"},
    {"ascii/46", "letters/dot"},
    {"ascii/47", "letters/slash"},
    {"ascii/61", "letters/equals"},
    {"ascii/64", "letters/at"},
};

/* Whether the names "day-0" ... are the same in both packages. */
static bool is_in_digits(struct sv base)
{
	static const char *const names[] = {
	    "a-m", "p-m", "at", "oclock", "oh", "today", "tomorrow", "yesterday", "day-", "mon-"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (sv_is(base, names[i]) ||
		    (names[i][strlen(names[i]) - 1] == '-' && sv_starts(base, sv_of(names[i]))))
			return true;
	return false;
}

bool prompt_asterisk_name(const struct prompt_name *name, struct buf *out)
{
	static const char listed[] = "34 37 38 39 40 41 44 58 59 60 62 63 91 92 93 94 95 96 123 124 125 126 ";
	char full[130], code[8];
	uint32_t c;

	snprintf(full, sizeof(full), "%.*s/%.*s", SVF(name->dir), SVF(name->base));
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (!strcmp(same[i].name, full))
			return buf_adds(out, same[i].asterisk) == ST_OK;
	if (sv_is(name->dir, "digits"))
		return !sv_is(name->base, "point") && buf_adds(out, full) == ST_OK;
	if (sv_is(name->dir, "time"))
		return is_in_digits(name->base) && buf_printf(out, "digits/%.*s", SVF(name->base)) == ST_OK;
	if (sv_u32(name->base, &c) || c > 126)
		return false;
	if (sv_is(name->dir, "ascii") && c >= 'a' && c <= 'z')
		return buf_printf(out, "letters/%c", (char)c) == ST_OK;
	if (sv_is(name->dir, "phonetic-ascii") && c >= 'a' && c <= 'z')
		return buf_printf(out, "phonetic/%c_p", (char)c) == ST_OK;
	snprintf(code, sizeof(code), "%u ", (unsigned)c);
	return sv_is(name->dir, "ascii") && c > 32 && strstr(listed, code) &&
	       buf_printf(out, "letters/ascii%u", (unsigned)c) == ST_OK;
}
