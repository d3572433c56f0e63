/* Who may hear a box. Attempts are bounded in a call and slowed over calls: by the address they come from
 * (net/login_delay.h) and, a little, by the box, whoever calls. An unknown box asks for a password like any other. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/event/event.h"
#include "core/run/exec.h"
#include "net/login_delay.h"
#include "text/digest.h"
#include "voicemail/vm_i.h"

enum { BOXES_MAX = 4096, FREE_TRIES = 3, BOX_DELAY_MAX_S = 8, FORGET_S = 900, WAIT_MAX_S = 30 };

struct failures {
	unsigned count;
	int64_t last_us, next_us; /* clock_mono_us: the turn of the next one */
};
static struct hash *by_box;
static struct login_delay *by_address;

static void failures_free(void *p)
{
	mem_free(p);
}

void vm_logins_forget(void)
{
	hash_free(by_box);
	login_delay_free(by_address);
	by_box = NULL, by_address = NULL;
}

static ON_CTL struct failures *failures_of(struct sv key, bool makes)
{
	struct failures *f = by_box ? hash_get(by_box, key) : NULL;
	int64_t now_us = clock_mono_us();
	if (f && now_us - f->last_us > clock_us_of_s(FORGET_S))
		*f = (struct failures){.last_us = now_us};
	if (f || !makes || (!by_box && hash_new(&by_box, 0, failures_free)))
		return f;
	if (hash_count(by_box) >= BOXES_MAX) { /* the oldest entry gives way */
		struct hash_it it = {0};
		if (hash_next(by_box, &it)) {
			char *oldest = sv_dup(it.key);
			hash_del(by_box, sv_of(oldest));
			mem_free(oldest);
		}
	}
	f = mem_zalloc(sizeof(*f));
	if (f && hash_set(by_box, key, f)) {
		mem_free(f);
		f = NULL;
	}
	return f;
}

static ON_CTL bool address_of(struct leg *leg, struct addr *out)
{
	const char *text = leg->profile->network_addr;
	return text && *text && !addr_parse(out, sv_of(text), 0);
}

/* How long this attempt waits before it is looked at; ST_LIMIT: it is refused unseen. */
static ON_CTL int turn(struct leg *leg, struct sv box, int64_t *wait_us)
{
	struct failures *f = failures_of(box, false);
	struct addr a;
	int64_t of_address_us = 0, now_us = clock_mono_us();
	*wait_us = 0;
	if (f && f->count >= FREE_TRIES) {
		int64_t step_s = 1LL << (f->count - FREE_TRIES > 3 ? 3 : f->count - FREE_TRIES);
		int64_t next_us = (f->next_us > now_us ? f->next_us : now_us) +
		                  clock_us_of_s(step_s > BOX_DELAY_MAX_S ? BOX_DELAY_MAX_S : step_s);
		if (next_us - now_us > clock_us_of_s(WAIT_MAX_S))
			return ST_LIMIT; /* refused: it takes no turn */
		f->next_us = next_us;
		*wait_us = next_us - now_us;
	}
	if (!by_address && login_delay_new(&by_address))
		return ST_NOMEM;
	if (address_of(leg, &a)) {
		if (login_delay_turn(by_address, &a, &of_address_us))
			return ST_LIMIT;
		if (of_address_us > *wait_us)
			*wait_us = of_address_us;
	}
	return *wait_us > clock_us_of_s(WAIT_MAX_S) ? ST_LIMIT : ST_OK;
}

static ON_CTL void failed(struct leg *leg, struct sv box)
{
	struct failures *f = failures_of(box, true);
	struct addr a;
	if (f)
		f->count++, f->last_us = clock_mono_us();
	if (by_address && address_of(leg, &a))
		login_delay_failed(by_address, &a);
}

static ON_CTL bool is_same(const char *a, const char *b)
{
	size_t n = strlen(a);
	return n == strlen(b) && digest_equal(a, b, n) == 1;
}

static ON_CTL bool hash_fits(const struct vm_box *b, const char *hash, const char *password)
{
	struct digest_piece p[] = {
	    {b->id, strlen(b->id)}, {":", 1}, {b->domain, strlen(b->domain)}, {":", 1}, {password, strlen(password)}};
	uint8_t sum[DIGEST_MD5_BYTES];
	char hex[DIGEST_HEX_CHARS(DIGEST_MD5_BYTES) + 1];
	digest_md5_pieces(p, 5, sum);
	digest_hex(sum, sizeof(sum), hex);
	return sv_eqi(sv_of(hex), sv_of(hash));
}

bool vm_password_fits(struct vm_box *b, const char *password)
{
	const char *of_user = vm_box_param(b, "vm-password"), *hash = vm_box_param(b, "vm-a1-hash");
	struct vm_prefs prefs;
	bool fits = false;
	if (vm_db_prefs(b->p.db, b->id, b->domain, &prefs)) {
		vm_prefs_fini(&prefs);
		return false;
	}
	if (*prefs.password)
		fits = is_same(prefs.password, password);
	else if (!of_user && !hash)
		fits = b->p.conf->empty_password_auth;
	if (!fits && !(b->p.conf->db_password_override && *prefs.password))
		fits = (of_user && is_same(of_user, password)) || (hash && *password && hash_fits(b, hash, password));
	vm_prefs_fini(&prefs);
	return fits;
}

static ON_CTL void tell(struct vm_call *c, bool is_right, struct sv id, struct sv domain)
{
	struct event *e = vm_event_new(c->leg, "authentication");
	if (!e)
		return;
	event_add(e, "VM-Auth-Result", is_right ? "success" : "fail");
	event_addf(e, "VM-User", "%.*s", SVF(id));
	event_addf(e, "VM-Domain", "%.*s", SVF(domain));
	event_fire(e);
}

/* The box is found, and the password that is asked for is its. ST_DENIED: not. */
static CO int attempt(struct vm_call *c, struct vm_profile *p, struct sv id, const struct vm_check *k)
{
	struct vm_keys pass = {0};
	bool has_box = !vm_box_find(&c->box, p, id, k->domain), is_right = has_box && k->is_authorized;
	struct buf key;
	int64_t wait_us = 0;
	int st = ST_OK;
	buf_init(&key);
	buf_printf(&key, "%.*s@%.*s", SVF(id), SVF(k->domain));
	if (!is_right) {
		st = vm_ask(c->leg, c->conf, "voicemail_enter_pass", c->conf->terminator, VM_KEYS_MAX,
		    c->conf->terminator, &pass);
		if (!st)
			st = turn(c->leg, buf_sv(&key), &wait_us);
		if (!st && wait_us)
			st = leg_sleep(c->leg, wait_us);
		is_right = !st && has_box && vm_password_fits(&c->box, pass.text);
	}
	if (!st) {
		struct sv told = has_box ? sv_of(c->box.id) : id;
		tell(c, is_right, told, has_box ? sv_of(c->box.domain) : k->domain);
		if (!is_right) {
			failed(c->leg, buf_sv(&key));
			leg_log(c->leg, LOG_NOTICE, "voicemail: a wrong password for %.*s", SVF(told));
		}
	}
	buf_fini(&key);
	if (is_right)
		return ST_OK;
	vm_box_fini(&c->box);
	return st ? st : ST_DENIED;
}

int vm_login(struct vm_call *c, struct vm_profile *p, const struct vm_check *k)
{
	struct vm_keys id;
	int st = ST_DENIED;
	for (unsigned i = 0; st == ST_DENIED && i < c->conf->max_login_attempts; i++) {
		id = (struct vm_keys){0};
		st = k->id.n ? ST_OK
		             : vm_ask(c->leg, c->conf, "voicemail_enter_id", c->conf->terminator, VM_KEYS_MAX,
		                   c->conf->terminator, &id);
		if (!st)
			st = attempt(c, p, k->id.n ? k->id : sv_of(id.text), k);
		if (st == ST_DENIED) {
			int said = vm_say(c->leg, "voicemail_fail_auth", NULL, NULL);
			st = said ? said : ST_DENIED;
		}
	}
	return st == ST_LIMIT ? ST_DENIED : st;
}
