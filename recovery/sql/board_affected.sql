-- Which of some subjects had broken rows, by the snapshot of before.
SELECT DISTINCT toString(${subject}) AS subject
FROM ${table}
WHERE ${subject} IN {subjects:Array(String)} AND ${owned} AND ${broken}
