"""How the admin site writes times: so that they sort, and compare with a log. All are UTC."""

DATETIME_FORMAT = "Y-m-d H:i:s"
DATE_FORMAT = "Y-m-d"
