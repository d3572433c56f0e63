/* Names that many legs' variables have, by number: a byte in a block instead of some fifteen (vars_i.h). Which they are
 * changes nothing but memory: what a call through a profile, a dialplan and a bridge sets, and what is told at its end.
 * Found by the hash that the store makes of a name anyway. */
#include "base/check.h"
#include "base/str.h"
#include "core/value/vars_i.h"
#include <string.h>
#include <strings.h>

/* The first is nobody's. */
const struct sv vars_names[256] = {SV_NONE, SV("absolute_codec_string"), SV("accountcode"), SV("advertised_media_ip"),
    SV("answer_epoch"), SV("answer_stamp"), SV("answer_uepoch"), SV("answermsec"), SV("answersec"), SV("answerusec"),
    SV("audio_media_flow"), SV("billmsec"), SV("billsec"), SV("billusec"), SV("bridge_channel"), SV("bridge_epoch"),
    SV("bridge_hangup_cause"), SV("bridge_stamp"), SV("bridge_to"), SV("bridge_uepoch"), SV("bridge_uuid"),
    SV("call_timeout"), SV("call_uuid"), SV("caller_id"), SV("callgroup"), SV("channel_name"), SV("codec_string"),
    SV("continue_on_fail"), SV("current_application"), SV("current_application_data"), SV("default_language"),
    SV("dialed_domain"), SV("dialed_extension"), SV("dialed_user"), SV("DIALSTATUS"), SV("digits_dialed"),
    SV("direction"), SV("domain_name"), SV("domain_uuid"), SV("DP_MATCH"), SV("dtmf_type"), SV("duration"),
    SV("effective_caller_id_name"), SV("effective_caller_id_number"), SV("end_epoch"), SV("end_stamp"),
    SV("end_uepoch"), SV("endpoint_disposition"), SV("ep_codec_string"), SV("export_vars"), SV("flow_billmsec"),
    SV("flow_billsec"), SV("flow_billusec"), SV("hangup_after_bridge"), SV("hangup_cause"), SV("hangup_cause_q850"),
    SV("hold_accum_ms"), SV("hold_accum_seconds"), SV("hold_accum_usec"), SV("is_outbound"), SV("last_app"),
    SV("last_arg"), SV("last_bridge_role"), SV("last_bridge_to"), SV("last_hold_epoch"), SV("last_hold_uepoch"),
    SV("last_sent_callee_id_name"), SV("last_sent_callee_id_number"), SV("local_media_ip"), SV("local_media_port"),
    SV("max_forwards"), SV("mduration"), SV("number_alias"), SV("original_read_codec"), SV("original_read_rate"),
    SV("originate_causes"), SV("originate_disposition"), SV("originate_early_media"), SV("originate_endpoint"),
    SV("originated_legs"), SV("originating_leg_uuid"), SV("originator"), SV("originator_codec"),
    SV("outbound_caller_id_name"), SV("outbound_caller_id_number"), SV("presence_id"), SV("profile_start_epoch"),
    SV("profile_start_stamp"), SV("profile_start_uepoch"), SV("progress_epoch"), SV("progress_media_epoch"),
    SV("progress_media_uepoch"), SV("progress_mediamsec"), SV("progress_mediasec"), SV("progress_mediausec"),
    SV("progress_uepoch"), SV("progressmsec"), SV("progresssec"), SV("progressusec"), SV("proto_specific_hangup_cause"),
    SV("read_codec"), SV("read_rate"), SV("recovery_profile_name"), SV("remote_audio_media_flow"),
    SV("remote_media_ip"), SV("remote_media_port"), SV("resurrect_epoch"), SV("resurrect_uepoch"), SV("RFC2822_DATE"),
    SV("ringback"), SV("rtp_2833_recv_payload"), SV("rtp_2833_send_payload"), SV("rtp_audio_in_cng_packet_count"),
    SV("rtp_audio_in_dtmf_packet_count"), SV("rtp_audio_in_flaw_total"), SV("rtp_audio_in_flush_packet_count"),
    SV("rtp_audio_in_jitter_burst_rate"), SV("rtp_audio_in_jitter_loss_rate"), SV("rtp_audio_in_jitter_max_variance"),
    SV("rtp_audio_in_jitter_min_variance"), SV("rtp_audio_in_jitter_packet_count"), SV("rtp_audio_in_largest_jb_size"),
    SV("rtp_audio_in_mean_interval"), SV("rtp_audio_in_media_bytes"), SV("rtp_audio_in_media_packet_count"),
    SV("rtp_audio_in_mos"), SV("rtp_audio_in_packet_count"), SV("rtp_audio_in_quality_percentage"),
    SV("rtp_audio_in_raw_bytes"), SV("rtp_audio_in_skip_packet_count"), SV("rtp_audio_out_cng_packet_count"),
    SV("rtp_audio_out_dtmf_packet_count"), SV("rtp_audio_out_media_bytes"), SV("rtp_audio_out_media_packet_count"),
    SV("rtp_audio_out_packet_count"), SV("rtp_audio_out_raw_bytes"), SV("rtp_audio_out_skip_packet_count"),
    SV("rtp_audio_recv_pt"), SV("rtp_audio_rtcp_octet_count"), SV("rtp_audio_rtcp_packet_count"), SV("rtp_has_crypto"),
    SV("rtp_last_audio_codec_string"), SV("rtp_local_sdp_str"), SV("rtp_secure_media"), SV("rtp_use_codec_channels"),
    SV("rtp_use_codec_name"), SV("rtp_use_codec_ptime"), SV("rtp_use_codec_rate"), SV("rtp_use_codec_string"),
    SV("rtp_use_pt"), SV("rtp_use_timer_name"), SV("session_id"), SV("signal_bond"), SV("sip_acl_authed_by"),
    SV("sip_auth_realm"), SV("sip_auth_username"), SV("sip_authorized"), SV("sip_call_id"), SV("sip_call_info"),
    SV("sip_contact_host"), SV("sip_contact_params"), SV("sip_contact_port"), SV("sip_contact_uri"),
    SV("sip_contact_user"), SV("sip_cseq"), SV("sip_destination_url"), SV("sip_from_display"), SV("sip_from_host"),
    SV("sip_from_port"), SV("sip_from_tag"), SV("sip_from_uri"), SV("sip_from_user"), SV("sip_from_user_stripped"),
    SV("sip_full_from"), SV("sip_full_to"), SV("sip_full_via"), SV("sip_gateway"), SV("sip_gateway_name"),
    SV("sip_hangup_disposition"), SV("sip_has_crypto"), SV("sip_invite_domain"), SV("sip_invite_params"),
    SV("sip_invite_stamp"), SV("sip_local_network_addr"), SV("sip_nat_detected"), SV("sip_network_ip"),
    SV("sip_network_port"), SV("sip_number_alias"), SV("sip_outgoing_contact_uri"), SV("sip_profile_name"),
    SV("sip_received_ip"), SV("sip_received_port"), SV("sip_recover_contact"), SV("sip_recover_via"),
    SV("sip_reply_host"), SV("sip_reply_port"), SV("sip_req_host"), SV("sip_req_params"), SV("sip_req_port"),
    SV("sip_req_uri"), SV("sip_req_user"), SV("sip_term_cause"), SV("sip_term_status"), SV("sip_to_display"),
    SV("sip_to_host"), SV("sip_to_port"), SV("sip_to_tag"), SV("sip_to_uri"), SV("sip_to_user"), SV("sip_user_agent"),
    SV("sip_via_host"), SV("sip_via_params"), SV("sip_via_port"), SV("sip_via_protocol"), SV("sip_via_rport"),
    SV("sofia_profile_name"), SV("sofia_profile_url"), SV("start_epoch"), SV("start_stamp"), SV("start_uepoch"),
    SV("switch_m_sdp"), SV("switch_r_sdp"), SV("toll_allow"), SV("transfer_history"), SV("transfer_ringback"),
    SV("transfer_source"), SV("uduration"), SV("user_context"), SV("user_name"), SV("uuid"), SV("verto_profile_name"),
    SV("waitmsec"), SV("waitsec"), SV("waitusec"), SV("write_codec"), SV("write_rate")};
enum { PLACES = 1024 };
static uint8_t places[PLACES]; /* numbers by hash; what collides lies behind */
static uint64_t known_begins;
static uint16_t letters[26 + 1]; /* the number of the first name that begins with the letter, or one behind it */

/* Before any thread; written never again. */
__attribute__((constructor)) static void places_fill(void)
{
	for (unsigned k = 0; k < ARRAY_COUNT(letters); k++)
		letters[k] = 1;
	for (unsigned i = 1; i < ARRAY_COUNT(vars_names) && vars_names[i].n; i++) {
		for (unsigned k = (vars_names[i].p[0] | 0x20u) - 'a' + 1; k < ARRAY_COUNT(letters); k++)
			letters[k]++;
		uint32_t at = vars_name_hash(vars_names[i].p, vars_names[i].n) % PLACES;
		while (places[at])
			at = (at + 1) % PLACES;
		places[at] = (uint8_t)i;
		if (vars_names[i].n > 6)
			known_begins |= vars_name_begins(vars_names[i].p, vars_names[i].n);
	}
}

unsigned vars_name_number(struct sv name, uint32_t hash)
{
	for (uint32_t at = hash % PLACES; places[at]; at = (at + 1) % PLACES) {
		struct sv known = vars_names[places[at]];
		if (known.n == name.n && !memcmp(known.p, name.p, name.n))
			return places[at];
	}
	return 0;
}

/* They are sorted as strcasecmp has it. */
bool vars_names_begin(struct sv prefix, uint64_t begins)
{
	unsigned letter = (prefix.p[0] | 0x20u) - 'a', low, high;

	if (letter >= 26 || !(begins & known_begins))
		return false;
	low = letters[letter], high = letters[letter + 1];
	while (low < high) {
		unsigned mid = (low + high) / 2;
		int order = strncasecmp(vars_names[mid].p, prefix.p, prefix.n);
		if (!order)
			return true;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}
