-- What an interrupted benchmark left.
SELECT name FROM system.databases WHERE startsWith(name, {prefix:String})
