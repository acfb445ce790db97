-- What the source says that the window must hold, for one range of its key: rows by day, and the sum of what they hold.
SELECT toString(toDate(${time}, 'UTC')) AS day, count() AS identities, sum(sipHash64(tuple(${content}))) AS content
FROM (${right})
GROUP BY 1
