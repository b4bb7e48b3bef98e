"""Errors of SQL Server by number, with the texts that sys.messages gives them.

Source: "Database Engine events and errors" (Microsoft Learn); texts are those of language us_english.
"""

from __future__ import annotations

_TEXTS: dict[int, tuple[int, str]] = {
    102: (15, "Incorrect syntax near '%s'."),
    105: (15, "Unclosed quotation mark after the character string '%s'."),
    109: (
        15,
        "There are more columns in the INSERT statement than values specified in the VALUES clause. The "
        "number of values in the VALUES clause must match the number of columns specified in the INSERT "
        "statement.",
    ),
    110: (
        15,
        "There are fewer columns in the INSERT statement than values specified in the VALUES clause. The "
        "number of values in the VALUES clause must match the number of columns specified in the INSERT "
        "statement.",
    ),
    113: (15, "Missing end comment mark '*/'."),
    116: (
        16,
        "Only one expression can be specified in the select list when the subquery is not introduced with "
        "EXISTS.",
    ),
    120: (
        16,
        "The select list for the INSERT statement contains fewer items than the insert list. The number of "
        "SELECT values must match the number of INSERT columns.",
    ),
    121: (
        16,
        "The select list for the INSERT statement contains more items than the insert list. The number of "
        "SELECT values must match the number of INSERT columns.",
    ),
    134: (
        15,
        "The variable name '%s' has already been declared. Variable names must be unique within a query "
        "batch or stored procedure.",
    ),
    137: (15, 'Must declare the scalar variable "%s".'),
    156: (15, "Incorrect syntax near the keyword '%s'."),
    195: (15, "'%s' is not a recognized built-in function name."),
    174: (15, "The %s function requires %s argument(s)."),
    205: (
        16,
        "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of "
        "expressions in their target lists.",
    ),
    206: (16, "Operand type clash: %s is incompatible with %s"),
    207: (16, "Invalid column name '%s'."),
    208: (16, "Invalid object name '%s'."),
    209: (16, "Ambiguous column name '%s'."),
    213: (16, "Column name or number of supplied values does not match table definition."),
    220: (16, "Arithmetic overflow error for data type %s, value = %s."),
    229: (14, "The %s permission was denied on the object '%s', database '%s', schema '%s'."),
    262: (14, "%s permission denied in database '%s'."),
    241: (16, "Conversion failed when converting date and/or time from character string."),
    242: (
        16,
        "The conversion of a %s data type to a %s data type resulted in an out-of-range value.",
    ),
    245: (16, "Conversion failed when converting the %s value '%s' to data type %s."),
    248: (16, "The conversion of the %s value '%s' overflowed an int column."),
    257: (
        16,
        "Implicit conversion from data type %s to %s is not allowed. Use the CONVERT function to run this "
        "query.",
    ),
    266: (
        16,
        "Transaction count after EXECUTE indicates a mismatching number of BEGIN and COMMIT statements. "
        "Previous count = %s, current count = %s.",
    ),
    402: (16, "The data types %s and %s are incompatible in the %s operator."),
    306: (
        16,
        "The text, ntext, and image data types cannot be compared or sorted, except when using IS NULL or "
        "LIKE operator.",
    ),
    421: (
        16,
        "The %s data type cannot be selected as DISTINCT because it is not comparable.",
    ),
    468: (
        16,
        'Cannot resolve the collation conflict between "%s" and "%s" in the %s operation.',
    ),
    512: (
        16,
        "Subquery returned more than 1 value. This is not permitted when the subquery follows =, !=, <, <= , "
        ">, >= or when the subquery is used as an expression.",
    ),
    515: (
        16,
        "Cannot insert the value NULL into column '%s', table '%s'; column does not allow nulls. %s fails.",
    ),
    517: (16, "Adding a value to a '%s' column caused an overflow."),
    529: (16, "Explicit conversion from data type %s to %s is not allowed."),
    544: (
        16,
        "Cannot insert explicit value for identity column in table '%s' when IDENTITY_INSERT is set to OFF.",
    ),
    547: (
        16,
        'The %s statement conflicted with the %s constraint "%s". The conflict occurred in database "%s", '
        'table "%s"%s.',
    ),
    911: (
        16,
        "Database '%s' does not exist. Make sure that the name is entered correctly.",
    ),
    916: (
        14,
        'The server principal "%s" is not able to access the database "%s" under the current security '
        "context.",
    ),
    942: (14, "Database '%s' cannot be opened because it is offline."),
    1205: (
        13,
        "Transaction (Process ID %s) was deadlocked on %s resources with another process and has been chosen "
        "as the deadlock victim. Rerun the transaction.",
    ),
    1222: (16, "Lock request time out period exceeded."),
    1505: (
        16,
        "The CREATE UNIQUE INDEX statement terminated because a duplicate key was found for the object name "
        "'%s' and the index name '%s'. The duplicate key value is %s.",
    ),
    1779: (16, "Table '%s' already has a primary key defined on it."),
    1801: (16, "Database '%s' already exists. Choose a different database name."),
    1911: (
        16,
        "Column name '%s' does not exist in the target table or view.",
    ),
    1913: (
        16,
        "The operation failed because an index or statistics with name '%s' already exists on table '%s'.",
    ),
    2601: (
        14,
        "Cannot insert duplicate key row in object '%s' with unique index '%s'. The duplicate key value is "
        "%s.",
    ),
    2627: (
        14,
        "Violation of %s constraint '%s'. Cannot insert duplicate key in object '%s'. The "
        "duplicate key value "
        "is %s.",
    ),
    2705: (
        16,
        "Column names in each table must be unique. Column name '%s' in table '%s' is specified more than "
        "once.",
    ),
    2714: (16, "There is already an object named '%s' in the database."),
    2715: (16, "Column, parameter, or variable #%s: Cannot find data type %s."),
    2760: (
        16,
        'The specified schema name "%s" either does not exist or you do not have permission to use it.',
    ),
    2812: (16, "Could not find stored procedure '%s'."),
    3621: (0, "The statement has been terminated."),
    3701: (
        11,
        "Cannot drop the %s '%s', because it does not exist or you do not have permission.",
    ),
    3902: (16, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION."),
    3903: (16, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION."),
    3930: (
        16,
        "The current transaction cannot be committed and cannot support operations that write to the log "
        "file. Roll back the transaction.",
    ),
    3998: (
        16,
        "Uncommittable transaction is detected at the end of the batch. The transaction is rolled back.",
    ),
    4060: (
        11,
        'Cannot open database "%s" requested by the login. The login failed.',
    ),
    4104: (16, 'The multi-part identifier "%s" could not be bound.'),
    4902: (
        16,
        'Cannot find the object "%s" because it does not exist or you do not have permissions.',
    ),
    5701: (0, "Changed database context to '%s'."),
    5703: (0, "Changed language setting to %s."),
    8114: (16, "Error converting data type %s to %s."),
    8115: (16, "Arithmetic overflow error converting %s to data type %s."),
    8120: (
        16,
        "Column '%s' is invalid in the select list because it is not contained in either an aggregate "
        "function or the GROUP BY clause.",
    ),
    8134: (16, "Divide by zero error encountered."),
    8152: (16, "String or binary data would be truncated."),
    8155: (16, "No column name was specified for column %s of '%s'."),
    8169: (16, "Conversion failed when converting from a character string to uniqueidentifier."),
    8178: (
        16,
        "The parameterized query '%s' expects the parameter '%s', which was not supplied.",
    ),
    10704: (
        15,
        "To rethrow an error, a THROW statement must be used inside a CATCH block. Insert the "
        "THROW statement "
        "inside a CATCH block, or add error parameters to the THROW statement.",
    ),
    18452: (
        14,
        "Login failed. The login is from an untrusted domain and cannot be used with Windows authentication.",
    ),
    18456: (14, "Login failed for user '%s'."),
}

NOT_MODELLED = 50_000
"""The number of what the lab does not model; SQL Server itself gives it to ad hoc messages."""


def _filled(template: str, values: tuple[object, ...]) -> str:
    """The text with its places filled; a value's own %s stays as it is."""
    first, *rest = template.split("%s")
    return first + "".join(f"{value}{part}" for value, part in zip(values, rest, strict=True))


class TsqlError(Exception):
    """An error that a client sees. ``line`` counts from 1 in the batch, 0 = that of the statement."""

    def __init__(
        self, number: int, *values: object, state: int = 1, line: int = 0, text: str | None = None
    ) -> None:
        """The text and the severity follow from the number; ``values`` fill its places."""
        severity, template = _TEXTS.get(number, (16, "%s"))
        said = _filled(template, values) if text is None else text
        super().__init__(number, said)
        self.number = number
        self.severity = severity
        self.state = state
        self.line = line
        self.text = said
        self.procedure = ""

    def __str__(self) -> str:
        """The number and the text."""
        return f"Msg {self.number}, Level {self.severity}, State {self.state}: {self.text}"


def raised(number: int, severity: int, state: int, text: str) -> TsqlError:
    """An error that RAISERROR or THROW makes."""
    error = TsqlError(number, state=state, text=text)
    error.severity = severity
    return error


class NotModelledError(TsqlError):
    """What SQL Server has and the lab has not: it fails by name and is counted."""

    def __init__(self, what: str, *, line: int = 0) -> None:
        """``what`` names the statement, function, type or option."""
        super().__init__(
            NOT_MODELLED, line=line, text=f"winlab does not model {what} of SQL Server"
        )
        self.what = what


def syntax(word: str, *, keyword: bool = False, line: int = 0) -> TsqlError:
    """Errors 102 and 156."""
    return TsqlError(156 if keyword else 102, word, line=line)
