"""`auth/register/` and `users/me/`."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.invitations import MAX_TOKEN_LENGTH
from accounts.models import User
from accounts.services import users
from api.etags import conditional
from api.serializers import BodySerializer, EmailField
from api.throttles import RegisterThrottle
from api.views import ApiViewSet
from collab.services.organizations import erase_user


class UserSerializer(serializers.ModelSerializer):
    """A person, as others see them."""

    class Meta:
        model = User
        fields = ("id", "email", "name")
        read_only_fields = fields


class RegistrationSerializer(BodySerializer):
    email = EmailField()
    password = serializers.CharField(max_length=128, trim_whitespace=False, style={"input_type": "password"})
    name = serializers.CharField(max_length=150)
    invitation = serializers.CharField(
        required=False,
        max_length=MAX_TOKEN_LENGTH,
        help_text="The token of an invitation's mail: proves that the address is one's own.",
    )


class ProfileSerializer(BodySerializer):
    name = serializers.CharField(max_length=150)


class RegistrationViewSet(ApiViewSet):
    serializer_class = UserSerializer
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = (RegisterThrottle,)

    @extend_schema(request=RegistrationSerializer, responses={201: UserSerializer}, tags=["auth"])
    def create(self, request: Request) -> Response:
        """Make an account, and an organization of its own; invitations of the address may be taken up."""
        return self.one(users.register_user(**self.body(RegistrationSerializer)), status=201)


class OwnUserViewSet(ApiViewSet):
    serializer_class = UserSerializer

    @extend_schema(operation_id="users_me_retrieve")
    def retrieve(self, request: Request) -> Response:
        """Who is signed in."""
        return self.one(self.caller)

    @conditional
    @extend_schema(operation_id="users_me_update", request=ProfileSerializer)
    def partial_update(self, request: Request) -> Response:
        """Change one's own name."""
        body = self.body(ProfileSerializer)
        return self.one(users.rename_user(user=self.caller, if_match=self.if_match, **body))

    @extend_schema(operation_id="users_me_destroy")
    def destroy(self, request: Request) -> Response:
        """Erase oneself: the account, all it has access to, and organizations without other members.

        Refused (`last_owner`) as long as an organization with other members would lose its last owner.
        """
        erase_user(user=self.caller)
        return Response(status=204)
