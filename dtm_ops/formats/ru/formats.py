"""Where Django's Russian formats are not what a field office wants; everything else comes from Django.

Hours have two digits, so that times stand under each other in lists ("09:05"); a day has its month in the genitive
("10 ноября", where Django says "10 Ноябрь"). A widget writes its value with the first input format, hence minutes
before seconds. The week's first day is Django's own Monday.
"""

TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j E Y г., H:i"
MONTH_DAY_FORMAT = "j E"

TIME_INPUT_FORMATS = ["%H:%M", "%H:%M:%S", "%H:%M:%S.%f"]
DATETIME_INPUT_FORMATS = [
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M:%S.%f",
    "%d.%m.%Y",
    "%d.%m.%y %H:%M",
    "%d.%m.%y %H:%M:%S",
]
