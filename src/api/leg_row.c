/* A leg as columns, in the order that clients of `show channels` rely on. */
#include "api/tables.h"
#include "core/leg/leg.h"
#include "core/value/self.h"
#include "core/value/vars.h"
#include "media/ctl/mctl.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

const char *const api_leg_cols[] = {"uuid", "direction", "created", "created_epoch", "name", "state", "cid_name",
    "cid_num", "ip_addr", "dest", "application", "application_data", "dialplan", "context", "read_codec", "read_rate",
    "read_bit_rate", "write_codec", "write_rate", "write_bit_rate", "secure", "hostname", "presence_id",
    "presence_data", "accountcode", "callstate", "callee_name", "callee_num", "callee_direction", "call_uuid",
    "sent_callee_name", "sent_callee_num", "initial_cid_name", "initial_cid_num", "initial_ip_addr", "initial_dest",
    "initial_dialplan", "initial_context", NULL};
/* The two views of calls: columns of A, columns of B (their names get b_). */
static const unsigned char basic_a[] = {L_UUID, L_DIRECTION, L_CREATED, L_CREATED_EPOCH, L_NAME, L_STATE, L_CID_NAME,
    L_CID_NUM, L_IP_ADDR, L_DEST, L_PRESENCE_ID, L_PRESENCE_DATA, L_ACCOUNTCODE, L_CALLSTATE, L_CALLEE_NAME,
    L_CALLEE_NUM, L_CALLEE_DIRECTION, L_CALL_UUID, L_HOSTNAME, L_SENT_CALLEE_NAME, L_SENT_CALLEE_NUM};
static const unsigned char basic_b[] = {L_UUID, L_DIRECTION, L_CREATED, L_CREATED_EPOCH, L_NAME, L_STATE, L_CID_NAME,
    L_CID_NUM, L_IP_ADDR, L_DEST, L_PRESENCE_ID, L_PRESENCE_DATA, L_ACCOUNTCODE, L_CALLSTATE, L_CALLEE_NAME,
    L_CALLEE_NUM, L_CALLEE_DIRECTION, L_SENT_CALLEE_NAME, L_SENT_CALLEE_NUM};

static ON_CTL void codec_values(struct leg *leg, struct api_leg_values *out)
{
	const struct media_codec *k = leg->codec;
	if (!k || !k->name[0])
		return;
	unsigned bits = !strcasecmp(k->name, "L16") ? k->rate_hz * 16 : !strcasecmp(k->name, "opus") ? 0 : 64000;
	snprintf(out->rate, sizeof(out->rate), "%u", k->rate_hz);
	snprintf(out->bit_rate, sizeof(out->bit_rate), "%u", bits);
	out->v[L_READ_CODEC] = out->v[L_WRITE_CODEC] = k->name;
	out->v[L_READ_RATE] = out->v[L_WRITE_RATE] = out->rate;
	out->v[L_READ_BIT_RATE] = out->v[L_WRITE_BIT_RATE] = out->bit_rate;
}

static ON_CTL void profile_values(const struct leg *leg, struct api_leg_values *out)
{
	const struct leg_profile *p = leg->profile, *first = p;
	if (!p)
		return;
	while (first->older)
		first = first->older;
	const char **v = out->v;
	v[L_CID_NAME] = p->caller_id_name, v[L_CID_NUM] = p->caller_id_number;
	v[L_IP_ADDR] = p->network_addr, v[L_DEST] = p->destination_number;
	v[L_DIALPLAN] = p->dialplan, v[L_CONTEXT] = p->context;
	v[L_CALLEE_NAME] = p->callee_id_name, v[L_CALLEE_NUM] = p->callee_id_number;
	leg_initial_cid(leg, &v[L_INITIAL_CID_NAME], &v[L_INITIAL_CID_NUM]);
	v[L_INITIAL_IP_ADDR] = first->network_addr, v[L_INITIAL_DEST] = first->destination_number;
	v[L_INITIAL_DIALPLAN] = first->dialplan, v[L_INITIAL_CONTEXT] = first->context;
	time_t secs = (time_t)(p->times.created / 1000000);
	struct tm tm;
	localtime_r(&secs, &tm);
	strftime(out->created, sizeof(out->created), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(out->epoch, sizeof(out->epoch), "%lld", (long long)secs);
	v[L_CREATED] = out->created, v[L_CREATED_EPOCH] = out->epoch;
}

void api_leg_values(struct leg *leg, struct api_leg_values *out)
{
	*out = (struct api_leg_values){0};
	profile_values(leg, out);
	codec_values(leg, out);
	const char **v = out->v;
	v[L_UUID] = leg->uuid;
	v[L_DIRECTION] = leg->is_outbound ? "outbound" : "inbound";
	v[L_NAME] = leg->name;
	v[L_STATE] = leg_state_name(leg->running_state);
	v[L_APPLICATION] = leg->last_app, v[L_APPLICATION_DATA] = leg->last_app_data;
	v[L_HOSTNAME] = core_hostname();
	v[L_PRESENCE_ID] = vars_get(leg->vars, "presence_id");
	v[L_PRESENCE_DATA] = vars_get(leg->vars, "presence_data");
	v[L_ACCOUNTCODE] = vars_get(leg->vars, "accountcode");
	v[L_CALLSTATE] = leg_callstate_name(leg->callstate);
	/* what a transfer forgets: the other party that was told, and of a dialled leg that it was */
	bool is_callee_sent = leg->profile && leg->callee_sent_profile == leg->profile->index;
	v[L_CALLEE_DIRECTION] = is_callee_sent || (leg->callee_sent_profile && !leg->is_outbound) ? "SEND"
	                        : leg->is_outbound && leg->is_answered                            ? "RECV"
	                                                                                          : "";
	v[L_CALL_UUID] = leg->call_uuid;
	if (is_callee_sent) {
		v[L_SENT_CALLEE_NAME] = vars_get(leg->vars, "last_sent_callee_id_name");
		v[L_SENT_CALLEE_NUM] = vars_get(leg->vars, "last_sent_callee_id_number");
	}
	v[L_SECURE] = vars_get(leg->vars, "rtp_secure_media_confirmed");
}

/* Of two bridged legs the one that runs the bridge is the caller; two alike: the older one. */
bool api_leg_is_callee(const struct leg *leg, const struct leg *peer)
{
	bool exchanges = leg->running_state == CS_EXCHANGE_MEDIA,
	     peer_exchanges = peer->running_state == CS_EXCHANGE_MEDIA;
	return exchanges != peer_exchanges ? exchanges : leg->serial > peer->serial;
}

size_t api_call_columns(bool is_detailed, unsigned char *a, size_t *a_count, unsigned char *b)
{
	if (!is_detailed) {
		memcpy(a, basic_a, sizeof(basic_a));
		*a_count = sizeof(basic_a);
		memcpy(b, basic_b, sizeof(basic_b));
		return sizeof(basic_b);
	}
	for (*a_count = 0; *a_count < L_INITIAL_CID_NAME; ++*a_count)
		a[*a_count] = b[*a_count] = (unsigned char)*a_count;
	return *a_count;
}
