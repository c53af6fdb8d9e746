// SPDX-License-Identifier: Apache-2.0
// A JWK set with a key for each algorithm, and a token that each has signed: of
// python3-cryptography.
#pragma once

#include <stddef.h>

static const char jws_vector_keys[] =
    "{\"keys\": [{\"kty\": \"RSA\", \"n\": \"mzslJ_2_0Fjq6bM6MEZoUieZzixToNwWmaeIyQQM"
    "jJ63bPJ9o6lrOq9Q9rGDrIAi3htSoIKE5enMVV6BErD1LHxx7R6CIaT7VzQHHlBeWveqcIUZEzp6zB75"
    "RFMCufDDHRwUJ0YYhugi0GhHg5SynIsYtOwJLs9zr1M3dcX00R49khVYPD2uzQUUbzrr9J9gmdy7MlZI"
    "UlqIMgq8OGcBBIAvFLFnDsINRo00w6A8tb1E7mIZ5bPW6pookXNFg8veInzuU1_5FX4fzC9hlyFFERZU"
    "fe-h8voGKes2Vek8KiAe8RgNsKENE_uwzN9LrNY37Vv7E2qottcdTsn5GNl1jQ\", \"e\": \"AQAB\""
    ", \"kid\": \"RSA\"}, {\"kty\": \"EC\", \"crv\": \"P-256\", \"x\": \"Xm3T9E9LdQtF"
    "3E59lWlN2fXwVoq8GUSC9N2X2tfG9Qw\", \"y\": \"SLFfGe-DSFlVHVqwALMebKNfXb_D-IXCDl5j"
    "AUx5QyE\", \"kid\": \"ES256\"}, {\"kty\": \"EC\", \"crv\": \"P-384\", \"x\": \"3"
    "uJKJHSq476r4yGBTDd5YnZA_2kJAUvxLaI-oexkDMQwm1dMV04D4bG9pj8oeJ1b\", \"y\": \"e1Tz"
    "kSgTu47KMpwJwlNXzn47s3wV20BivRir5Upa1lKdNp9a_Uyh2LZc2IvSDk6e\", \"kid\": \"ES384"
    "\"}, {\"kty\": \"EC\", \"crv\": \"P-521\", \"x\": \"Aeev6OM4TtimNImuy7y5SJM4p2Qo"
    "9vVpeutCbc-Hiws58p4M1JMGhE8lq041b7R9gMMNZLf_XI8MLvoMzjPQDdFc\", \"y\": \"ABeNrvt"
    "R4aJFpeSAivENIvpBtGHermJtj-Z-h1y2hcfDTTTKeEVukQjwD-W683GU3X5cdrgVkZtF6WzGtUQhI_E"
    "o\", \"kid\": \"ES512\"}, {\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"x\": \"3xVs"
    "YmmUPV6wYZm5L6774Ka339lH9X93Xqe_ZGJ5NIQ\", \"kid\": \"EdDSA\"}, {\"kty\": \"oct\""
    ", \"kid\": \"S\", \"k\": \"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2N"
    "zg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg\"}]}";

static const struct {
    const char *alg, *token;
} jws_vectors[] = {
    {"RS256", "eyJhbGciOiAiUlMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOiAiUlNBIn0.eyJleHAiOiA0MTAyNDQ0"
              "ODAwLCAic3ViIjogImFkYSJ9.CZxdqX-Ee4cL5QNL5Mp2u2Gd22Ebp7Oy3uq1g2NLeBqAVbcyPSaRJRO"
              "xOA0tYYpq-JmlMA8Z5lNd1XlJF3w-7dnC0dO9WnfyxDGvOoOort1U2qFlp_KrK9veLv-HNCtjJ_ZfiTO"
              "yDRaHpZMN9nK34DqsKrN5hK3NZvyKWcrsWER8vPw7Xmks6Nnd_EQnUG-NLgUG5SEKb19Z__SDheoQ00M"
              "hF_7fy2A1f4TWsNClXSG50BN94YNLvXQ-7ybRLlrnLM3cAIrgiCSkvzv1jlarmpAx5CvQX8b03sEtMJ9"
              "hT5o9DvAo1hSRb_pPA82v3W6toS88PnM64uz3z1_S3eaVog"},
    {"RS384", "eyJhbGciOiAiUlMzODQiLCAidHlwIjogIkpXVCIsICJraWQiOiAiUlNBIn0.eyJleHAiOiA0MTAyNDQ0"
              "ODAwLCAic3ViIjogImFkYSJ9.ijj-9Ev7Rzx_7VhPHryb2LJtUM_OV7YhaeXluIQBm8qoQeVX3XAoWiq"
              "G9mCdvxHmtu9IKm4e4IFqmyUB_LNBjhfebr6W48S4eb9RBVUJfp03caFkGyGhm0FIcecIANhCBmOWb95"
              "R388M0fOzf76YwkMBDwZb4UWAmwHDPN9-OHQvdbZSU7lDKMkOuol3SUMlwoepmcDShUHd1BBUVAKPysh"
              "4jZCLypSHj_tuxaQRP2AskPadYRO_sDBjKsSJETh1Y4eP8e2Mk96Z-qG3QdFPds2Kzcs4b2t4u3lU3oh"
              "6j1z5P1iaQK6dUm4Cm11lR6BHEhpzZI-RKOC7NI_Ii5t8dQ"},
    {"RS512", "eyJhbGciOiAiUlM1MTIiLCAidHlwIjogIkpXVCIsICJraWQiOiAiUlNBIn0.eyJleHAiOiA0MTAyNDQ0"
              "ODAwLCAic3ViIjogImFkYSJ9.Q2Xuds8XI_P2lXVRCokm9WlwUZXgd6QlRB9PUDYp3UA7jHrbWDP0Oa3"
              "31UDDX_zt6thbp2aS85dMtri597j7DQBeY2-LOuNHxZJza5CYBgLJRdtcGXOcPWKD6O540uDaAKFyxz1"
              "i8erQtek77GYzm_IParuxTjJ2DhQfVqOghZdlIY5CAjk-J6hNR-LvSQ8KGJI9fBjrdXCxrTagt-MtTiY"
              "X3-fUd2wtGm4vXswE_pk2OqVDK18FQy0InrS8LAYVEPhej01CwsnVrxdydfccLXDZv-qX9HgIWt5kKYB"
              "z_2lzjc_Vx_8rogw9ehiW_13_muNO-ALaVnRikPKr82gA2A"},
    {"PS256", "eyJhbGciOiAiUFMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOiAiUlNBIn0.eyJleHAiOiA0MTAyNDQ0"
              "ODAwLCAic3ViIjogImFkYSJ9.mRZHFY70azgwxSKoSMkv-J53THWZLPWpawuLLrFJc47AKzFxR00tH1g"
              "HD2o6kpSPQBG-KvmP73Wq_R1G52-IOIYTeBbjeYfRyc70EBETdg7elZgphM5xF_DVsOYBrxXC6NKKeaD"
              "AMFs8rcD_FQfzI8S2I3hMROOK0f-lGxUZI2Nt38SLDA7oDX3BkVGqNpJWC6fKHs9_cB_No_pk9Gy8l1E"
              "9Y1SQ5eEtGzO06XrBbgSKwoiBtZjMStoAy-Q7Q2B7TzkZnb7oxWswxo1pPIWMZWTDzshLtu5BxrCdjv_"
              "iqkYSds1MYSWd7W_acK1n_w-GLSPVhG_Bn9YCqPegOuTkYQ"},
    {"PS384", "eyJhbGciOiAiUFMzODQiLCAidHlwIjogIkpXVCIsICJraWQiOiAiUlNBIn0.eyJleHAiOiA0MTAyNDQ0"
              "ODAwLCAic3ViIjogImFkYSJ9.h1tcu-ImhbVcY7bzjz7cZ1GzGSXnPjLx1fGg7q_Br4Y-IB3U280qQhw"
              "cVOH7JZ2__U5oalJaY0dA91FRc5JbaROzqJPJlQ_S5DQuGwtJB6RhbUD68xtpVqoLW_jYjSyvQuxMcT0"
              "-JEFEKH6cFxZdkaWdYV63HfaWOEnIt3lxpGAwVdI2NLYHPEvImqbpuQAjHgDH2QDZyv1HDRi0uISLuB2"
              "lYiotoneNKN3Q8SRnbl8b-aonV4WpsXj4RoaXe1RMuC_NNo6zJRcQot1PMVwtq-Q3OKYmNR_rhq6nxYe"
              "tbBuqp40Rh2Ys3FlE9wW5SiLFJx4-JhGDKuqz9NYBpTcCEQ"},
    {"PS512", "eyJhbGciOiAiUFM1MTIiLCAidHlwIjogIkpXVCIsICJraWQiOiAiUlNBIn0.eyJleHAiOiA0MTAyNDQ0"
              "ODAwLCAic3ViIjogImFkYSJ9.Bdrj51t0pVuUy5WhdAwk2TddyBB86nRhbUytqfHlW8_gAt4zUwZAb-e"
              "Hzm-qCdMW1iXSUTMOuRF1kMhnO1mkgZJHbqivFEFSUqePWlsLk0wGeBAFL9Z1eA5q5Yge4bdDa2LRwMI"
              "pg8p_Jf86uJhv4oVu3mur8p4uXx5WjnsPYN9zcZBzEkv2leEMH2vsK2BLGjQxHnI4RlW47d1zusW3reD"
              "ArovRHLUsFwjRpCNDzIVwru6qtuoIGb0DTdl6Bna-58Ymim8oqOSe5ru83uLORRwXgWHWyJtd7N8Vn9_"
              "veCRiNNdwwGj6K-_09G2as83gkdAo-oKG3JDFRzffreT39A"},
    {"ES256", "eyJhbGciOiAiRVMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOiAiRVMyNTYifQ.eyJleHAiOiA0MTAyN"
              "DQ0ODAwLCAic3ViIjogImFkYSJ9.ZYeLkmw7WfLJVEMF889wOJpgCb42XmyypQQDJwehL_d1xjdsBFB6"
              "s2kwRPqs9QZeirFFUEDGjZBTKIsSt6_Y1g"},
    {"ES384", "eyJhbGciOiAiRVMzODQiLCAidHlwIjogIkpXVCIsICJraWQiOiAiRVMzODQifQ.eyJleHAiOiA0MTAyN"
              "DQ0ODAwLCAic3ViIjogImFkYSJ9.A4yskO9TkY3DoW0jnaz7rKZv_Gbog1YedY35cWvHroTMQXA4gZ6V"
              "qgy_krGusrnUQDMygrSgN0mpe8hYm-aeZuqkdqY2mh2rNLxiu7nS3w_UsNcqnwhXDVgubR3xF0oo"},
    {"ES512", "eyJhbGciOiAiRVM1MTIiLCAidHlwIjogIkpXVCIsICJraWQiOiAiRVM1MTIifQ.eyJleHAiOiA0MTAyN"
              "DQ0ODAwLCAic3ViIjogImFkYSJ9.ACMULbhglUNw5GaE9Snd6-NPsKN4HaLU3yywz0JozWtDtYErLiFe"
              "JwMQ5EQTEUBRZlxnP6yaa1Nxj9DD8LMiHF_gAB4PiwYFLdLc_2FEGDu3hYqzRQ1OL1EBvk8utM33dE2O"
              "vBKALe9T0R_93JPgVHmRfOrLcqwpBGvBTsYH_9vqZI_j"},
    {"EdDSA", "eyJhbGciOiAiRWREU0EiLCAidHlwIjogIkpXVCIsICJraWQiOiAiRWREU0EifQ.eyJleHAiOiA0MTAyN"
              "DQ0ODAwLCAic3ViIjogImFkYSJ9.4cI0UDSzSLh4vURMR58mioN20IHaezv5wTUGjUKVU8exBNg4VsSI"
              "-jtxcKE16b_AwnWPNGgMs0eVbyLO6yXWBA"},
    {"HS256", "eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOiAiUyJ9.eyJleHAiOiA0MTAyNDQ0ODA"
              "wLCAic3ViIjogImFkYSJ9.6MKBtAfSbdVSE798gacHdQRiEmGELIYDREU0e4p4QxQ"},
    {"HS384", "eyJhbGciOiAiSFMzODQiLCAidHlwIjogIkpXVCIsICJraWQiOiAiUyJ9.eyJleHAiOiA0MTAyNDQ0ODA"
              "wLCAic3ViIjogImFkYSJ9.gLd2IrPdAKXZXJu18607Rgrj4h6CJcUpA-HfY-lt_iu3pDQkPMPOX8td4K"
              "J0KVDN"},
    {"HS512", "eyJhbGciOiAiSFM1MTIiLCAidHlwIjogIkpXVCIsICJraWQiOiAiUyJ9.eyJleHAiOiA0MTAyNDQ0ODA"
              "wLCAic3ViIjogImFkYSJ9.EMquxR83FcR-50mBDDFmZ7P5fclM4PIapMzAVIs9U_OlsHRW9xjTOAwoDc"
              "1EKqh60j6cLimYcTGmp6DwaKyK2g"},
};

static const char jws_vector_pem[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEXm3T9E9LdQtF3E59lWlN2fXwVoq8\n"
    "GUSC9N2X2tfG9QxIsV8Z74NIWVUdWrAAsx5so19dv8P4hcIOXmMBTHlDIQ==\n"
    "-----END PUBLIC KEY-----\n";
