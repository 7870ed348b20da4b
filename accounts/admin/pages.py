"""What the pages of the admin site have in common: as many queries however many rows there are."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import BadRequest, ValidationError
from django.core.paginator import Paginator
from django.db.models import Count, Model, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

#: Rows of a list that are counted, and can be paged through; who looks for others searches.
MOST_COUNTED = 10_000
#: Rows that the page of another object shows of those that belong to it.
MOST_INLINE = 25


class BoundedPaginator(Paginator):
    """Counts no further than `MOST_COUNTED`: tables may be big, and nobody turns that many pages."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        return rows.order_by()[:MOST_COUNTED].count() if isinstance(rows, QuerySet) else len(rows)


class OperatorAdmin(admin.ModelAdmin):
    """A page for operators: operations as buttons, and search by id.

    A class may say in `id_search` which UUIDs are found in the search field.
    """

    change_form_template = "operate/object.html"
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    list_per_page = 50
    id_search: ClassVar[tuple[str, ...]] = ("id",)

    def get_inline_instances(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        # They show: what is saved is the object alone.
        return [] if request.method == "POST" else super().get_inline_instances(request, obj)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Whether the operator may use the operations of this model."""
        permission = f"{self.opts.app_label}.change_{self.opts.model_name}"
        return bool(request.user.is_active and request.user.has_perm(permission))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def response_action(
        self, request: HttpRequest, queryset: QuerySet, *args: Any, **options: Any
    ) -> HttpResponse | None:
        try:
            return super().response_action(request, queryset, *args, **options)
        except ValidationError as error:  # of what is no id, among the chosen rows
            raise BadRequest from error

    def name_of(self, row: Any) -> str:
        """What people call it."""
        return str(row)

    def is_applicable(self, operation: str, row: Any) -> bool:
        """Whether the page of the row offers this operation."""
        return True

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        try:
            sought = UUID(search_term.strip())
        except ValueError:
            return super().get_search_results(request, queryset, search_term)
        known = Q.create([(field, sought) for field in self.id_search], connector=Q.OR)
        return queryset.filter(known), False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, object_id) if request.method == "GET" else None
        context: dict[str, Any] = {"show_save_and_add_another": False}
        if row is not None:
            context |= {
                "subtitle": self.name_of(row),
                "operations": [
                    (name, description)
                    for _, name, description in self.get_actions(request).values()
                    if self.is_applicable(name, row)
                ],
                "links": self.links_of(request, row),
                "explain": self.explain_form(request, row),
            }
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def links_of(self, request: HttpRequest, row: Any) -> list[tuple[str, str]]:
        """Other pages about the row: (text, URL)."""
        return []

    def explain_form(self, request: HttpRequest, row: Any) -> dict[str, str] | None:
        """A question about the row; see the template."""
        return None


class ReadOnlyAdmin(OperatorAdmin):
    """Shows rows; what changes them are operations, and the API."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class _FirstRows(BaseInlineFormSet):
    def get_queryset(self) -> QuerySet:
        if not hasattr(self, "_queryset"):
            self._queryset = super().get_queryset()[:MOST_INLINE]
        return self._queryset


class Rows(admin.TabularInline):
    """The first rows that belong to an object, on its page.

    `row_operations`: those of the page of the rows' model that stand beside each row.
    `listed_by`: the parameter of its list that says whose rows; none if there is no such list.
    """

    template = "operate/rows.html"
    formset = _FirstRows
    extra = 0
    max_num = 0
    can_delete = False
    view_on_site = False
    row_operations: ClassVar[tuple[str, ...]] = ()
    listed_by: ClassVar[str | None] = None
    buttons: list[tuple[str, str]]

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return self.fields or ()

    def get_formset(self, request: HttpRequest, obj: Model | None = None, **kwargs: Any) -> Any:
        known = self.admin_site._registry.get(self.model)
        allowed: dict[str, Any] = {} if known is None else known.get_actions(request)
        # An inline lives as long as the request.
        self.buttons = [(name, str(allowed[name][2])) for name in self.row_operations if name in allowed]
        return super().get_formset(request, obj, **kwargs)

    @property
    def list_url(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")


class OfObject(admin.SimpleListFilter):
    """Only what belongs to one object, which a link names; see `of`."""

    model: type[Model]
    field: str

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        given = request.GET.get(self.parameter_name or "")
        return [(given, str(self._find(given) or given))] if given else []

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        row_id = self.value()
        if row_id is None:
            return queryset
        return queryset.filter(**{self.field: row_id}) if self._is_id(row_id) else queryset.none()

    def _find(self, row_id: str) -> Model | None:
        return self.model._default_manager.filter(pk=row_id).first() if self._is_id(row_id) else None

    @staticmethod
    def _is_id(row_id: str) -> bool:
        try:
            UUID(row_id)
        except ValueError:
            return False
        return True


def of(parameter: str, model: type[Model], field: str = "") -> type[OfObject]:
    """A filter by an object of another model, offered only where a link asks for it."""
    attributes = {
        "parameter_name": parameter,
        "title": parameter.replace("_", " "),
        "model": model,
        "field": field or parameter,
    }
    return type("OfObject", (OfObject,), attributes)


def count_of(rows: QuerySet, *, by: str) -> Coalesce:
    """For a query: how many rows refer to each object by this field."""
    counted = rows.filter(**{by: OuterRef("pk")}).order_by().values(by).annotate(count=Count("pk"))
    return Coalesce(Subquery(counted.values("count")), Value(0))


def link_to(row: Model | None, text: str = "") -> SafeString | str:
    """A link to the page of a row."""
    if row is None:
        return "–"
    page = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    return format_html('<a href="{}">{}</a>', reverse(page, args=[row.pk]), text or str(row))


def brief(value: object) -> str:
    """The beginning of an id; all of anything else."""
    try:
        return f"{UUID(str(value))}"[:8] + "…"
    except ValueError:
        return str(value)


def linked(field: str) -> Any:
    """A column with links to what the rows refer to."""

    @admin.display(description=field.replace("_", " "))
    def column(row: Model) -> str:
        return link_to(getattr(row, field))

    return column


def list_link(
    request: HttpRequest, text: str, model: type[Model], **parameters: Any
) -> list[tuple[str, str]]:
    """A link to the list of a model, for whoever may see it."""
    opts = model._meta
    may = any(
        request.user.has_perm(f"{opts.app_label}.{verb}_{opts.model_name}") for verb in ("view", "change")
    )
    url = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist", query=parameters)
    return [(text, url)] if may else []
