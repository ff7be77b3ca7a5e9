-- Decide and store a batch of commands; one row per command, in the order asked. Runs under LOG_LOCK.
-- Placeholders: per command tenant, subject, key, fingerprint, response;
-- per stream of a command its number, the stream, the version that the log must have;
-- per event its command's number, stream, version, topic, state.
-- Table look-ups are correlated and need their indexes, whatever the planner believes about the size of the tables.
WITH asked AS MATERIALIZED (
    SELECT a.*, done.position AS done_at, done.fingerprint AS done_fingerprint, done.response AS done_response, done.state
    FROM unnest(%b::text[], %b::text[], %b::text[], %b::bytea[], %b::bytea[])
        WITH ORDINALITY AS a (tenant_id, subject, key, fingerprint, response, n)
    LEFT JOIN LATERAL (
        SELECT r.position, r.fingerprint, r.response,
            (SELECT s.state FROM stored_events s WHERE s.notification_id = r.position) AS state
        FROM idempotency_records r
        WHERE r.tenant_id = a.tenant_id AND r.subject = a.subject AND r.key = a.key
        OFFSET 0
    ) done ON true
), head AS MATERIALIZED (
    SELECT h.n, h.stream_id, h.version = coalesce(
        (SELECT max(s.originator_version) FROM stored_events s WHERE s.originator_id = h.stream_id), 0) AS fits
    FROM unnest(%b::bigint[], %b::uuid[], %b::bigint[]) AS h (n, stream_id, version)
), candidate AS (
    SELECT n, n = min(n) OVER (PARTITION BY stream_id) AS first
    FROM (SELECT n, stream_id, bool_and(fits) OVER (PARTITION BY n) AS fits
          FROM head JOIN asked USING (n) WHERE done_at IS NULL) AS new
    WHERE fits
), accepted AS MATERIALIZED (
    SELECT n FROM candidate GROUP BY n HAVING bool_and(first)
), placed AS MATERIALIZED (
    SELECT n, stream_id, version, topic, state, nextval('stored_events_notification_id_seq') AS position
    FROM (SELECT e.*
          FROM unnest(%b::bigint[], %b::uuid[], %b::bigint[], %b::text[], %b::bytea[])
              WITH ORDINALITY AS e (n, stream_id, version, topic, state, place)
          JOIN accepted USING (n) ORDER BY place) AS in_order
), stored AS (
    INSERT INTO stored_events (originator_id, originator_version, topic, state, notification_id)
    SELECT stream_id, version, topic, state, position FROM placed
), last AS MATERIALIZED (
    SELECT n, max(position) AS position FROM placed GROUP BY n
), remembered AS (
    INSERT INTO idempotency_records (tenant_id, subject, key, fingerprint, response, position)
    SELECT tenant_id, subject, key, fingerprint, response, last.position FROM asked JOIN last USING (n)
)
SELECT last.position, done_at, done_fingerprint, done_response, asked.state
FROM asked LEFT JOIN last USING (n) ORDER BY n
