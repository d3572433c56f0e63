/* The ledger's statements, as sqlite and PostgreSQL both understand them. In all of them $2 is the account; each text
 * that changes something is one transaction, which first locks the account's row. */
#pragma once

/* A clause a line, which clang-format would not leave. */
/* clang-format off */
#define NUM(p) "CAST(" p " AS BIGINT)"
#define TEXT(p) "CAST(" p " AS VARCHAR(255))"
#define LOCK "BEGIN;UPDATE billing_accounts SET version=version+1 WHERE id=$2;"

/* What the account's calls cost in the hour since $4, as far as it is reserved or settled. One that began earlier
 * counts with what its price a minute makes of its part of that hour, never less; it does not leave the sum by growing
 * old. */
#define LATELY(more) \
	"(SELECT COALESCE(SUM(CASE WHEN s.begun>=" NUM("$4") " OR s.a<s.m+(s.m/1000+1)*s.tax_ppm/1000 THEN s.a" \
	" ELSE s.m+(s.m/1000+1)*s.tax_ppm/1000 END),0) FROM (SELECT h.started_us AS begun,h.cost+h.reserved AS a,h.tax_ppm," \
	"h.per_minute*(CASE WHEN h.ended_us=0 OR h.ended_us-" NUM("$4") ">3600000000 THEN 60" \
	" ELSE (h.ended_us-" NUM("$4") ")/60000000+1 END) AS m FROM billing_calls h" \
	" WHERE h.account=$2 AND (h.ended_us=0 OR h.ended_us>" NUM("$4") ")" more ") s)"
#define HOUR LATELY("")
#define OPEN "(SELECT COUNT(*) FROM billing_calls o WHERE o.state='open' AND o.account=$2)"
/* of the destination group $6 */
#define GROUP_HOUR LATELY(" AND h.grp=" TEXT("$6"))
#define GROUP_OPEN \
	"(SELECT COUNT(*) FROM billing_calls o WHERE o.state='open' AND o.account=$2 AND o.grp=" TEXT("$6") ")"
#define GROUP_BEGUN \
	"(SELECT COUNT(*) FROM billing_calls o WHERE o.account=$2 AND o.started_us>" NUM("$4") " AND o.grp=" TEXT( \
	    "$6") ")"
/* The texts come in two forms: a call of no group does not ask for one. */
#define NO_GROUP_STATE "0,0,0"
#define GROUP_STATE GROUP_HOUR "," GROUP_OPEN "," GROUP_BEGUN

/* Of the account, as state_read reads it. */
#define STATE(hour, group, granted) \
	"SELECT balance,credit_limit,reserved,enabled,max_calls,max_hour,deck,currency,open_groups," OPEN "," hour "," \
	group "," granted " FROM billing_accounts WHERE id=$2"
#define HOUR_IF_BOUND "CASE WHEN max_hour=0 THEN 0 ELSE " HOUR " END"

/* $1 call, $3 amount, $5 token, $7 $8 $9 the group's money an hour, calls at once, calls an hour, $10.. the row's rest;
 * $13 the deck, which must be the account's */
#define RESERVE(group_bounds, group_state) \
	LOCK \
	"INSERT INTO billing_calls (id,account,grp,node,leg,number,deck,prefix,per_minute,connect_fee,minimum_s,increment_s," \
	"free_s,tax_ppm,started_us,reserved,state,token) SELECT " \
	TEXT("$1") ",a.id," TEXT("$6") "," TEXT("$10") "," TEXT("$11") "," TEXT("$12") "," TEXT("$13") "," TEXT("$14") "," \
	NUM("$15") "," NUM("$16") "," NUM("$17") "," NUM("$18") "," NUM("$19") "," NUM("$20") "," NUM("$21") "," NUM("$3") \
	",'open'," TEXT("$5") " FROM billing_accounts a WHERE a.id=$2 AND a.enabled<>0 AND a.deck=$13" \
	" AND a.balance+a.credit_limit-a.reserved>=" NUM("$3") \
	" AND (a.max_calls=0 OR " OPEN "<a.max_calls)" \
	" AND (a.max_hour=0 OR " HOUR "+" NUM("$3") "<=a.max_hour)" group_bounds \
	" AND NOT EXISTS (SELECT 1 FROM billing_calls WHERE id=$1);" \
	"UPDATE billing_accounts SET reserved=reserved+" NUM("$3") \
	" WHERE id=$2 AND EXISTS (SELECT 1 FROM billing_calls WHERE id=$1 AND token=$5);COMMIT;" \
	STATE(HOUR_IF_BOUND, group_state, "(SELECT COUNT(*) FROM billing_calls g WHERE g.id=$1 AND g.token=$5)")
static const char sql_reserve[] = RESERVE("", NO_GROUP_STATE);
static const char sql_reserve_group[] = RESERVE(
	" AND (" NUM("$7") "=0 OR " GROUP_HOUR "+" NUM("$3") "<=" NUM("$7") ")"
	" AND (" NUM("$8") "=0 OR " GROUP_OPEN "<" NUM("$8") ")"
	" AND (" NUM("$9") "=0 OR " GROUP_BEGUN "<" NUM("$9") ")", GROUP_STATE);

/* $1 call, $3 amount in all, $5 token, $7 the group's money an hour, $8 $9 what is used: seconds, amount */
#define MISSING "(" NUM("$3") "-(SELECT m.reserved FROM billing_calls m WHERE m.id=$1))"
#define EXTEND(group_bounds, group_state) \
	LOCK \
	"UPDATE billing_calls SET used_s=" NUM("$8") ",used=" NUM("$9") " WHERE id=$1 AND state='open';" \
	"UPDATE billing_accounts SET token=$5,reserved=reserved+" MISSING " WHERE id=$2 AND enabled<>0" \
	" AND EXISTS (SELECT 1 FROM billing_calls WHERE id=$1 AND state='open' AND reserved<" NUM("$3") ")" \
	" AND balance+credit_limit-reserved>=" MISSING \
	" AND (max_hour=0 OR " HOUR "+" MISSING "<=max_hour)" group_bounds ";" \
	"UPDATE billing_calls SET reserved=" NUM("$3") \
	" WHERE id=$1 AND EXISTS (SELECT 1 FROM billing_accounts WHERE id=$2 AND token=$5);COMMIT;" \
	STATE(HOUR_IF_BOUND, group_state, \
		"(SELECT COUNT(*) FROM billing_calls g WHERE g.id=$1 AND g.state='open' AND g.reserved>=" NUM("$3") ")")
static const char sql_extend[] = EXTEND("", NO_GROUP_STATE);
static const char sql_extend_group[] = EXTEND(
	" AND (" NUM("$7") "=0 OR " GROUP_HOUR "+" MISSING "<=" NUM("$7") ")", GROUP_STATE);

/* $1 call, $3 cost, $4 now, $5 token, $6 seconds */
#define SETTLE(first) \
	LOCK first \
	"UPDATE billing_accounts SET token=$5,balance=balance-" NUM("$3") \
	",reserved=reserved-(SELECT m.reserved FROM billing_calls m WHERE m.id=$1) WHERE id=$2" \
	" AND EXISTS (SELECT 1 FROM billing_calls WHERE id=$1 AND account=$2 AND state='open');" \
	"INSERT INTO billing_entries (id,account,at_us,kind,amount,balance,call_id)" \
	" SELECT 'call:'||" TEXT("$1") ",id," NUM("$4") ",'call',-" NUM("$3") ",balance," TEXT("$1") \
	" FROM billing_accounts WHERE id=$2 AND token=$5 AND " NUM("$3") "<>0;" \
	"UPDATE billing_calls SET state='done',reserved=0,cost=" NUM("$3") ",seconds=" NUM("$6") ",ended_us=" NUM("$4") \
	" WHERE id=$1 AND state='open'" \
	" AND EXISTS (SELECT 1 FROM billing_accounts WHERE id=$2 AND token=$5);" \
	"COMMIT"
static const char sql_settle[] = SETTLE("");
/* The reservation may still be on its way: what stands in its place lets it change nothing. */
static const char sql_settle_unsure[] = SETTLE(
	"INSERT INTO billing_calls (id,account,node,leg,number,deck,prefix,per_minute,connect_fee,minimum_s,increment_s,"
	"free_s,tax_ppm,started_us,ended_us,reserved,state,token)"
	" SELECT " TEXT("$1") ",id,'','','','','',0,0,0,1,0,0," NUM("$4") "," NUM("$4") ",0,'void',''"
	" FROM billing_accounts WHERE id=$2 AND NOT EXISTS (SELECT 1 FROM billing_calls WHERE id=$1);");

/* $1 entry, $3 amount, $4 now, $5 token, $6 kind */
static const char sql_topup[] =
	LOCK
	"UPDATE billing_accounts SET token=$5,balance=balance+" NUM("$3") " WHERE id=$2"
	" AND NOT EXISTS (SELECT 1 FROM billing_entries WHERE id=$1);"
	"INSERT INTO billing_entries (id,account,at_us,kind,amount,balance)"
	" SELECT " TEXT("$1") ",id," NUM("$4") "," TEXT("$6") "," NUM("$3") ",balance"
	" FROM billing_accounts WHERE id=$2 AND token=$5;"
	"COMMIT;"
	"SELECT balance,CASE WHEN token=$5 THEN 1 ELSE 0 END FROM billing_accounts WHERE id=$2";

/* $1 code, $3 now, $4 token */
static const char sql_voucher[] =
	LOCK
	"UPDATE billing_vouchers SET used_by=" TEXT("$2") ",token=$4"
	" WHERE code=$1 AND used_by=''"
	" AND EXISTS (SELECT 1 FROM billing_accounts a WHERE a.id=$2 AND a.currency=billing_vouchers.currency);"
	"UPDATE billing_accounts SET token=$4,balance=balance+(SELECT v.amount FROM billing_vouchers v WHERE v.code=$1)"
	" WHERE id=$2 AND EXISTS (SELECT 1 FROM billing_vouchers WHERE code=$1 AND token=$4);"
	"INSERT INTO billing_entries (id,account,at_us,kind,amount,balance)"
	" SELECT 'voucher:'||v.code,a.id," NUM("$3") ",'voucher',v.amount,a.balance"
	" FROM billing_accounts a, billing_vouchers v WHERE a.id=$2 AND a.token=$4 AND v.code=$1 AND v.token=$4;"
	"COMMIT;"
	"SELECT balance,CASE WHEN token=$4 THEN 1 ELSE 0 END FROM billing_accounts WHERE id=$2";

/* $1 call, $3 what it cost, $4 now, $5 token, $6 what it costs, $7.. the rate */
static const char sql_rerate[] =
	LOCK
	"UPDATE billing_accounts SET token=$5,balance=balance+" NUM("$3") "-" NUM("$6") " WHERE id=$2"
	" AND EXISTS (SELECT 1 FROM billing_calls WHERE id=$1 AND account=$2 AND state='done' AND cost=" NUM("$3") ");"
	"INSERT INTO billing_entries (id,account,at_us,kind,amount,balance,call_id)"
	" SELECT 'rerate:'||" TEXT("$5") ",id," NUM("$4") ",'rerate'," NUM("$3") "-" NUM("$6") ",balance," TEXT("$1")
	" FROM billing_accounts WHERE id=$2 AND token=$5;"
	"UPDATE billing_calls SET cost=" NUM("$6") ",prefix=" TEXT("$7")
	",per_minute=" NUM("$8") ",connect_fee=" NUM("$9") ","
	"minimum_s=" NUM("$10") ",increment_s=" NUM("$11") ",free_s=" NUM("$12") ",tax_ppm=" NUM("$13")
	" WHERE id=$1 AND state='done'"
	" AND EXISTS (SELECT 1 FROM billing_accounts WHERE id=$2 AND token=$5);"
	"COMMIT";

/* $1 entry, $3 amount, $4 now, $5 token, $6 fee, $7 period: charged when there is money and nobody did it before */
static const char sql_fee[] =
	LOCK
	"UPDATE billing_accounts SET token=$5,balance=balance-" NUM("$3") " WHERE id=$2"
	" AND balance+credit_limit-reserved>=" NUM("$3")
	" AND NOT EXISTS (SELECT 1 FROM billing_entries WHERE id=$1)"
	" AND EXISTS (SELECT 1 FROM billing_fees f WHERE f.account=$2 AND f.name=$6 AND f.period=" NUM("$7")
	" AND f.amount=" NUM("$3") ");"
	"INSERT INTO billing_entries (id,account,at_us,kind,amount,balance)"
	" SELECT " TEXT("$1") ",id," NUM("$4") ",'fee',-" NUM("$3") ",balance"
	" FROM billing_accounts WHERE id=$2 AND token=$5;"
	"UPDATE billing_fees SET period=period+1 WHERE account=$2 AND name=$6 AND period=" NUM("$7")
	" AND EXISTS (SELECT 1 FROM billing_entries WHERE id=$1);"
	"COMMIT;"
	"SELECT balance,CASE WHEN token=$5 THEN 1 ELSE 0 END FROM billing_accounts WHERE id=$2";
/* clang-format on */
