/* The table of hang-up causes: names, numbers, and the SIP statuses they become and come from (mod_sofia's mapping,
 * which is not symmetric). */
#include "core/value/cause.h"
#include "base/status.h"
#include <stdlib.h>
#include <strings.h>

enum { CAUSE_NUMBER_MAX = 65535 }; /* numbers without a name are taken as well */
struct cause_row {
	enum cause cause;
	const char *name;
	int sip;
};
#define ROW(name, sip) \
	{ \
		CAUSE_##name, #name, sip \
	}
/* Sorted by number. */
static const struct cause_row rows[] = {
    ROW(NONE, 480),
    ROW(UNALLOCATED_NUMBER, 404),
    ROW(NO_ROUTE_TRANSIT_NET, 404),
    ROW(NO_ROUTE_DESTINATION, 404),
    ROW(CHANNEL_UNACCEPTABLE, 480),
    ROW(CALL_AWARDED_DELIVERED, 480),
    ROW(NORMAL_CLEARING, 480),
    ROW(USER_BUSY, 486),
    ROW(NO_USER_RESPONSE, 408),
    ROW(NO_ANSWER, 480),
    ROW(SUBSCRIBER_ABSENT, 480),
    ROW(CALL_REJECTED, 603),
    ROW(NUMBER_CHANGED, 410),
    ROW(REDIRECTION_TO_NEW_DESTINATION, 410),
    ROW(EXCHANGE_ROUTING_ERROR, 483),
    ROW(DESTINATION_OUT_OF_ORDER, 502),
    ROW(INVALID_NUMBER_FORMAT, 484),
    ROW(FACILITY_REJECTED, 501),
    ROW(RESPONSE_TO_STATUS_ENQUIRY, 480),
    ROW(NORMAL_UNSPECIFIED, 480),
    ROW(NORMAL_CIRCUIT_CONGESTION, 503),
    ROW(NETWORK_OUT_OF_ORDER, 503),
    ROW(NORMAL_TEMPORARY_FAILURE, 503),
    ROW(SWITCH_CONGESTION, 503),
    ROW(ACCESS_INFO_DISCARDED, 480),
    ROW(REQUESTED_CHAN_UNAVAIL, 503),
    ROW(PRE_EMPTED, 480),
    ROW(FACILITY_NOT_SUBSCRIBED, 480),
    ROW(OUTGOING_CALL_BARRED, 403),
    ROW(INCOMING_CALL_BARRED, 403),
    ROW(BEARERCAPABILITY_NOTAUTH, 403),
    ROW(BEARERCAPABILITY_NOTAVAIL, 503),
    ROW(SERVICE_UNAVAILABLE, 480),
    ROW(BEARERCAPABILITY_NOTIMPL, 488),
    ROW(CHAN_NOT_IMPLEMENTED, 480),
    ROW(FACILITY_NOT_IMPLEMENTED, 501),
    ROW(SERVICE_NOT_IMPLEMENTED, 501),
    ROW(INVALID_CALL_REFERENCE, 480),
    ROW(INCOMPATIBLE_DESTINATION, 488),
    ROW(INVALID_MSG_UNSPECIFIED, 480),
    ROW(MANDATORY_IE_MISSING, 480),
    ROW(MESSAGE_TYPE_NONEXIST, 480),
    ROW(WRONG_MESSAGE, 480),
    ROW(IE_NONEXIST, 480),
    ROW(INVALID_IE_CONTENTS, 480),
    ROW(WRONG_CALL_STATE, 480),
    ROW(RECOVERY_ON_TIMER_EXPIRE, 504),
    ROW(MANDATORY_IE_LENGTH_ERROR, 480),
    ROW(PROTOCOL_ERROR, 480),
    ROW(INTERWORKING, 480),
    ROW(SUCCESS, 480),
    ROW(ORIGINATOR_CANCEL, 487),
    ROW(CRASH, 480),
    ROW(SYSTEM_SHUTDOWN, 480),
    ROW(LOSE_RACE, 480),
    ROW(MANAGER_REQUEST, 480),
    ROW(BLIND_TRANSFER, 480),
    ROW(ATTENDED_TRANSFER, 480),
    ROW(ALLOTTED_TIMEOUT, 480),
    ROW(USER_CHALLENGE, 480),
    ROW(MEDIA_TIMEOUT, 480),
    ROW(PICKED_OFF, 480),
    ROW(USER_NOT_REGISTERED, 480),
    ROW(PROGRESS_TIMEOUT, 480),
    ROW(INVALID_GATEWAY, 484),
    ROW(GATEWAY_DOWN, 503),
    ROW(INVALID_URL, 484),
    ROW(INVALID_PROFILE, 502),
    ROW(NO_PICKUP, 480),
    ROW(SRTP_READ_ERROR, 480),
    ROW(BOWOUT, 480),
    ROW(BUSY_EVERYWHERE, 600),
    ROW(DECLINE, 603),
    ROW(DOES_NOT_EXIST_ANYWHERE, 604),
    ROW(NOT_ACCEPTABLE, 606),
    ROW(UNWANTED, 607),
    ROW(NO_IDENTITY, 428),
    ROW(BAD_IDENTITY_INFO, 429),
    ROW(UNSUPPORTED_CERTIFICATE, 437),
    ROW(INVALID_IDENTITY, 438),
    ROW(STALE_DATE, 403),
    ROW(REJECT_ALL, 603),
};
enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static int row_compare(const void *key, const void *row)
{
	return *(const int *)key - (int)((const struct cause_row *)row)->cause;
}

static const struct cause_row *row_find(int number)
{
	return bsearch(&number, rows, ROW_COUNT, sizeof(rows[0]), row_compare);
}

const char *cause_name(enum cause cause)
{
	const struct cause_row *row = row_find((int)cause);
	return row ? row->name : "UNKNOWN";
}

enum cause cause_parse(const char *text)
{
	if (!text || !*text)
		return CAUSE_NORMAL_CLEARING;
	if (*text >= '0' && *text <= '9')
		return (enum cause)str_number(text, 0, CAUSE_NUMBER_MAX);
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (!strcasecmp(rows[i].name, text))
			return rows[i].cause;
	return CAUSE_NORMAL_CLEARING;
}

enum cause cause_of_media(int status, enum cause otherwise)
{
	if (status == ST_FULL || status == ST_NOMEM)
		return CAUSE_SWITCH_CONGESTION;
	return status == ST_UNSUPPORTED ? CAUSE_INCOMPATIBLE_DESTINATION : otherwise;
}

int cause_to_sip(enum cause cause)
{
	const struct cause_row *row = row_find((int)cause);
	return row ? row->sip : 480;
}

static const struct {
	int sip;
	enum cause cause;
} from_sip[] = {
    {200, CAUSE_NORMAL_CLEARING},
    {400, CAUSE_NORMAL_TEMPORARY_FAILURE},
    {481, CAUSE_NORMAL_TEMPORARY_FAILURE},
    {500, CAUSE_NORMAL_TEMPORARY_FAILURE},
    {503, CAUSE_NORMAL_TEMPORARY_FAILURE},
    {401, CAUSE_CALL_REJECTED},
    {402, CAUSE_CALL_REJECTED},
    {403, CAUSE_CALL_REJECTED},
    {407, CAUSE_CALL_REJECTED},
    {603, CAUSE_CALL_REJECTED},
    {608, CAUSE_CALL_REJECTED},
    {404, CAUSE_UNALLOCATED_NUMBER},
    {405, CAUSE_SERVICE_UNAVAILABLE},
    {406, CAUSE_SERVICE_NOT_IMPLEMENTED},
    {415, CAUSE_SERVICE_NOT_IMPLEMENTED},
    {501, CAUSE_SERVICE_NOT_IMPLEMENTED},
    {408, CAUSE_RECOVERY_ON_TIMER_EXPIRE},
    {504, CAUSE_RECOVERY_ON_TIMER_EXPIRE},
    {410, CAUSE_NUMBER_CHANGED},
    {413, CAUSE_INTERWORKING},
    {414, CAUSE_INTERWORKING},
    {416, CAUSE_INTERWORKING},
    {420, CAUSE_INTERWORKING},
    {421, CAUSE_INTERWORKING},
    {423, CAUSE_INTERWORKING},
    {505, CAUSE_INTERWORKING},
    {513, CAUSE_INTERWORKING},
    {428, CAUSE_NO_IDENTITY},
    {429, CAUSE_BAD_IDENTITY_INFO},
    {437, CAUSE_UNSUPPORTED_CERTIFICATE},
    {438, CAUSE_INVALID_IDENTITY},
    {480, CAUSE_NO_USER_RESPONSE},
    {482, CAUSE_EXCHANGE_ROUTING_ERROR},
    {483, CAUSE_EXCHANGE_ROUTING_ERROR},
    {484, CAUSE_INVALID_NUMBER_FORMAT},
    {485, CAUSE_NO_ROUTE_DESTINATION},
    {604, CAUSE_NO_ROUTE_DESTINATION},
    {486, CAUSE_USER_BUSY},
    {600, CAUSE_USER_BUSY},
    {487, CAUSE_ORIGINATOR_CANCEL},
    {488, CAUSE_INCOMPATIBLE_DESTINATION},
    {606, CAUSE_INCOMPATIBLE_DESTINATION},
    {502, CAUSE_NETWORK_OUT_OF_ORDER},
    {607, CAUSE_UNWANTED},
};

enum cause cause_from_sip(int status)
{
	for (size_t i = 0; i < sizeof(from_sip) / sizeof(from_sip[0]); i++)
		if (from_sip[i].sip == status)
			return from_sip[i].cause;
	return CAUSE_NORMAL_UNSPECIFIED;
}
